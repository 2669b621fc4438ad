"""Who stands where: the stays and bays behind the demands, and what the makers of a site's problem share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from core.allocation.frame import Frame
from core.allocation.problem import Problem
from core.energy_system import Topology
from core.messages.allocation import AllocationAssigned
from core.messages.base import Message
from core.messages.requirement import RequirementComputed
from core.messages.site import SiteConfig, VehicleType


@dataclass(frozen=True, slots=True)
class Stay:
    """A vehicle at a connector now. `max_kw` is the connector's rating; `soc` the freshest usable reading, else None."""

    station: str
    evse: int
    vehicle: str | None
    since: datetime
    max_kw: float
    soc: float | None = None
    transaction: str | None = None
    began: str = ""
    """Id of the message that began the plug-in: a cause of its assignments."""
    delivered_kwh: float = 0.0
    """Since it was plugged; counts against what an unknown vehicle may take."""


@dataclass(frozen=True, slots=True)
class Bay:
    """What stands behind a demand: who is where, and the battery that the plan is tried on."""

    demand: str
    vehicle: str | None
    stay: Stay | None
    """None: expected, not plugged yet; planned for, never assigned."""
    requirement: Message | None
    soc: float | None = None
    goal: float = 0.0
    capacity_kwh: float = 0.0
    kind: VehicleType | None = None
    deadline: datetime | None = None

    @property
    def needed_kwh(self) -> float | None:
        """What the requirement asks for at the plug; None: unknown."""
        body = self.requirement.body if self.requirement else None
        if not isinstance(body, RequirementComputed) or self.soc is None or self.kind is None:
            return None
        return max(0.0, self.goal - self.soc) * self.capacity_kwh / self.kind.eta_battery


@dataclass(frozen=True, slots=True)
class SiteProblem:
    """A problem with its slots and, per demand, the bay it stands for."""

    problem: Problem
    frame: Frame
    bays: Mapping[str, Bay]


@dataclass(frozen=True, slots=True)
class Site:
    """What the makers of nodes and demands look at."""

    config: SiteConfig
    topology: Topology
    frame: Frame
    now: datetime
    hand: Mapping[str, tuple[float, datetime | None]]
    offline: Mapping[str, float]
    previous: Mapping[tuple[str, int], AllocationAssigned]
    kinds: Mapping[str, VehicleType]
    needs: Mapping[str, Message]
