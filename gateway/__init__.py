"""The running process: settings, life cycle, journal, site controllers, read models, HTTP host, command line."""
