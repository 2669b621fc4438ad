"""A small site for the tests of requirements, work and vehicles."""

from datetime import UTC, datetime, timedelta

from core.messages.scribe import Scribe
from core.messages.site import Node, Policies, SiteConfig, Vehicle, VehicleType
from core.messages.work import Block

NOW = datetime(2026, 11, 24, 20, tzinfo=UTC)
DEPARTS = datetime(2026, 11, 25, 5, 20, tzinfo=UTC)

SB12 = VehicleType(
    id="SB12",
    capacity_kwh=350,
    curve=((0, 150), (0.8, 150), (1, 15)),
    consumption=((-15, 3.010), (5, 1.696), (15, 1.244)),
    standing_kw=6,
)
POLICIES = Policies(energy_margin=0.10, reserve_soc=0.05, ambient_c=5.0, default_deadrun_km=5.0)
CONFIG = SiteConfig(
    id="depot",
    zone="Europe/Berlin",
    nodes=(Node(id="grid", limit_kw=800),),
    vehicle_types=(SB12,),
    vehicles=(
        Vehicle(id="BUS-142", type="SB12", tokens=("T142",), evccids=("E142",), soh=0.92, priority=2),
        Vehicle(id="BUS-143", type="SB12", tokens=("T143",), evccids=("E143",)),
        Vehicle(id="BUS-9", type="lost"),
    ),
    policies=POLICIES,
)


def block(name="4201", departs=DEPARTS, hours=6.0, km=150.0, **fields):
    """A block of the feed `vdv` on the 25th."""
    given = {
        "feed": "vdv",
        "operating_day": departs.date(),
        "block": name,
        "departs": departs,
        "returns": departs + timedelta(hours=hours),
        "distance_m": None if km is None else km * 1000,
        "provenance": "link_sum",
        **fields,
    }
    return Block(**given)


def scribe(now=NOW, seen=1):
    """A scribe for one decision."""
    return Scribe("depot", seen, now)
