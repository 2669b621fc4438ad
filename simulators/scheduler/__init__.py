"""The simulated scheduler: a VDV 452 export and the assignment of vehicles."""
