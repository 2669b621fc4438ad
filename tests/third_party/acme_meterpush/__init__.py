"""Somebody else's adapter: site meters that push their readings as JSON."""
