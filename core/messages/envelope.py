"""The operating envelope: what each node of the site may import in each window, and which limit binds."""

from __future__ import annotations

from typing import ClassVar

from core.messages.base import Body, Plain, Problem, Utc
from core.messages.site import Kw


class EnvelopeSegment(Plain):
    """One window of one node: the limit that binds, who set it, and the next strictest."""

    node: str
    begins: Utc
    ends: Utc
    import_kw: Kw
    binding_source: str
    """`rating` for the node's static rating, else the source's id; fallbacks read `<source> fallback`."""
    runner_up: str | None = None
    fallback: bool = False


class EnvelopeComputed(Body):
    """The whole envelope of a site from now to its horizon; neutral, no word of any grid protocol in it."""

    TYPE: ClassVar[str] = "envelope.computed"
    PROBLEM: ClassVar[Problem] = Problem("energy & cost management", "advanced energy & grid")

    revision: int
    segments: tuple[EnvelopeSegment, ...]
    """All nodes; per node in time order without gaps."""
    degraded: tuple[str, ...] = ()
    """Sources that stand in fallback."""
    inputs: int = 0
    """How many statements and configurations had been folded when it was computed."""
