"""Tests of the journal: one contract suite for every store, and what only NATS can show."""
