"""The command line `busbar`."""
