"""The HTTP host: several listeners, mounts, roles, bounds and problem documents over aiohttp."""

from gateway.http.access import Identity, Users
from gateway.http.host import HttpHost
from gateway.http.problems import Problem, problem
from gateway.http.stream import StreamClosed, StreamWriter

__all__ = ["HttpHost", "Identity", "Problem", "StreamClosed", "StreamWriter", "Users", "problem"]
