"""What adapters share without meaning: JSON bodies, clock skew, retries."""
