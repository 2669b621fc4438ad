"""The HTTP API: what people's and programs' acts become, and what the read models say."""

from gateway.api.mount import Api, mount

__all__ = ["Api", "mount"]
