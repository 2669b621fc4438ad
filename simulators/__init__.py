"""Real protocol clients for demo, test and load; they import nothing of the hub."""
