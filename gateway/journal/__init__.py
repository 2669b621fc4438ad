"""The journal on NATS JetStream: records, writer, reader, embedded server; and an in-memory twin."""
