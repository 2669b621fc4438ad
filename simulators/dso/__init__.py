"""The simulated grid operator: an OSCP 2.0 capacity provider."""
