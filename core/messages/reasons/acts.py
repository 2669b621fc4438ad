"""Why an act was refused."""

from __future__ import annotations

from collections.abc import Mapping

from core.messages.reasons.reason import STATION, VEHICLE, Reason

ACTS: Mapping[str, Reason] = {
    "cap_above_rating": STATION.low(
        "Refused: {station} gives at most {limit_kw}, so {asked_kw} caps nothing.",
        "name less than that; exactly {limit_kw} lifts an earlier cap.",
    ),
    "cap_below_safe": STATION.low(
        "{asked_kw} is less than the safe level of {station}: if it falls silent, it draws up to {safe_kw} after its last schedule.",
        "if it must not, switch it off at the charger.",
    ),
    "cap_costs": VEHICLE.high(
        "{vehicle} gets {planned_kwh} by its departure[ at {departs:time}] with this cap, {needed_kwh:up} are needed; without it {before_kwh}.",
        "cap it shorter or higher, or move the bus to another bay.",
    ),
    "station_not_placed": STATION.low(
        "{station} has no place in the site's tree of limits, so it gets 0 kW.", "give it a node in the configuration."
    ),
    "bay_empty": STATION.low(
        "Nothing is plugged in at {station}, so this says nothing yet.", "plug the bus in, then say it again."
    ),
}
