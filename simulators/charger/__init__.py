"""Simulated charging stations: OCPP 1.6 and 2.0.1 over real sockets, with batteries."""
