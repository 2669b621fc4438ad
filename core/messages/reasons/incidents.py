"""What needs a person, one per cause. Readiness codes are incident kinds too where a person can act."""

from __future__ import annotations

from collections.abc import Mapping

from core.messages.reasons.reason import FEED, NODE, SOURCE, STATION, VEHICLE, Reason

INCIDENTS: Mapping[str, Reason] = {
    "missed_charge": VEHICLE.high(
        "{vehicle} will not be ready, or left so, for {departs:time}[: {last_soc}, {goal_soc:up} needed].",
        "swap the bus or move its departure; its page says why.",
    ),
    "profile_refused": STATION.high(
        "Charger {station} refused its limit at {since:time}[: {why}]. It counts with {ceiling_kw} until it takes one.",
        "wait for the next try; if it refuses again, set its limit on the charger.",
        touches=True,
    ),
    "command_not_confirmed": STATION.high(
        "Charger {station} has not confirmed its limit since {since:time}. The larger of old and new is reserved for it.",
        "check the charger; if it stays so, set its limit on the charger.",
        touches=True,
    ),
    "limit_not_obeyed": STATION.high(
        "Charger {station} has drawn or held more than its limit since {since:time}[: {power_kw} of {asked_kw}].",
        "set its limit on the charger, or stop it there.",
        touches=True,
    ),
    "limit_exceeded": NODE.critical(
        "{node} has drawn {over_kw:up} above its limit of {limit_kw}[ ({source})] since {since:time}.",
        "switch off load beside charging; chargers are being lowered.",
    ),
    "unknown_vehicle": STATION.medium(
        "An unknown vehicle has stood at {bay} since {since:time}. It charges from what known departures leave.",
        "say which bus it is: `busbar assign VEHICLE {bay}`.",
    ),
    "vehicle_conflict": STATION.medium(
        "Since {since:time} the evidence has disagreed about which bus stands at {bay}[: {candidates}].",
        "look, then say which: `busbar assign VEHICLE {bay}`.",
    ),
    "grid_source_lost": SOURCE.high(
        "No signal from {source}[ since {since:time}][ {so_far}]. Its fallback holds[: {fallback_kw} now].",
        "call the grid operator if it lasts.",
    ),
    "horizon_short": SOURCE.medium(
        "{source} is heard only for {horizon_s} at a time, chargers need {guard_s} to follow. It counts as in fallback.",
        "ask the grid operator for a longer interval, at least {wanted_s}.",
    ),
    "limit_below_safe": NODE.high(
        "The limit of {node} is {limit_kw}[ ({source})], its chargers' safe levels and the building need {needed_kw:up}.",
        "lower safe levels or the building's load; chargers that can be reached are lowered.",
    ),
    "building_above_reserve": NODE.medium(
        "The building has drawn {power_kw} since {since:time}; {limit_kw} are reserved for it.",
        "switch off load, or raise the reserve in the configuration.",
    ),
    "plan_refused": NODE.high(
        "A plan failed its check[: {detail}]. The plainest rule is followed until one passes.",
        "report this; `busbar why` of the incident names the plan.",
    ),
    "plan_infeasible": NODE.high(
        "No plan passed its check[: {detail}]. The last good one holds, under every limit.",
        "report this; `busbar why` of the incident names the plan. Limit chargers by hand if a departure needs it.",
    ),
    "schedule_incomplete": FEED.medium(
        "The schedule {feed} came at {since:time} with {rows:row} that could not be used[, {waiting} waiting for their schedule].",
        "correct those rows and import it again; the good rows are in force.",
    ),
    "blocks_overlap": VEHICLE.medium(
        "{vehicle} has two blocks at once: {block} ends at {back:time}, {other} begins at {departs:time}.",
        "give one of them to another bus, or correct its times; until then they are one departure that needs the energy of both.",
    ),
    "panel_lost": NODE.critical(
        "All {count} chargers of {node} fell silent together at {since:time}.",
        "check the panel's breaker and its network switch.",
        touches=True,
    ),
    "clock_skew": STATION.medium(
        "The clock of {station} is {skew_s} {way}: its limits change at wrong times, and its readings are dated wrong.",
        "set its time server and its time zone; the hub tells it the time with every heartbeat.",
    ),
    "connector_undeclared": STATION.medium(
        "Charger {station} has a connector {connector}, and {count} declared: what charges there is in no plan.",
        "declare it in the configuration, or set the number of connectors in the charger.",
    ),
    "controller_failed": NODE.critical(
        "{site} is not controlled: the hub failed at a fact or a decision[ ({detail})]. Chargers keep what they were told, then their safe level.",
        "restart the hub; if it stays so, `busbar doctor`, and report it with the log.",
    ),
}
