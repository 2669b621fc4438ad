"""The contract that every adapter meets; `contract.py` beside it is its test suite.

Life cycle: the gateway builds the adapter from its settings (which must not open anything), calls `start(ports)`
once `Directory` has caught up with the journal, and `stop()` once before the journal closes. `health()` may be
called at any time between.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel

from core.ports import Ports


@dataclass(frozen=True, slots=True)
class PeerHealth:
    """One peer as its adapter sees it now."""

    name: str
    connected: bool
    last_contact: datetime | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """What an adapter says about itself; `listening` are the addresses that it really bound (`host:port`)."""

    peers: tuple[PeerHealth, ...] = ()
    listening: tuple[str, ...] = field(default=())


@runtime_checkable
class NamesSources(Protocol):
    """Settings of an adapter that name sites and their grid sources: the gateway checks that these exist."""

    def named_sources(self) -> Iterator[tuple[tuple[str | int, ...], str, str | None]]:
        """The path of each name in these settings, the site, and the source (None: the site alone)."""


class Adapter(Protocol):
    """A protocol family at the edge: it translates and decides nothing, never raises into its peer's loop, never blocks."""

    name: ClassVar[str]
    Settings: ClassVar[type[BaseModel]]
    """Its settings model; every field has a description, a unit in its name and a default where one makes sense."""

    async def start(self, ports: Ports) -> None:
        """Open listeners and start talking."""

    async def stop(self) -> None:
        """Close sockets in an orderly way; what peers sent before is journalled first."""

    def health(self) -> Health:
        """Connected peers and their last contact."""
