"""The domain: pure decisions over plain data; it knows no protocol, no NATS, no HTTP and no SQL."""
