"""Why a departure is not fine."""

from __future__ import annotations

from collections.abc import Mapping

from core.messages.reasons.reason import STATION, VEHICLE, Reason

READINESS: Mapping[str, Reason] = {
    "not_plugged": VEHICLE.high(
        "{vehicle} is not plugged in[ and needs {needed_kwh:up} before {departs:time}][: it must be plugged in by {by:time}].",
        "send somebody to plug it in; any free bay will do.",
    ),
    "earlier_departure": VEHICLE.low(
        "{vehicle} leaves before that, at {before:time}; with what it comes back is not known yet.",
        "nothing: it is looked at when that departure is over.",
    ),
    "no_allocation": VEHICLE.high(
        "No power is planned for {vehicle} yet[, {needed_kwh:up} are needed by {departs:time}].",
        "look at the site's limit and the other departures; if the limit is right, move a departure.",
    ),
    "envelope_limited": VEHICLE.high(
        "The site's limit leaves {vehicle} too little[: {limit_kw} from {source}][ until {until:time}]."
        "[ By plan {expected_soc} at {departs:time}, {goal_soc:up} needed.]",
        "ask for more power in that window, or free some: a later departure can wait.",
    ),
    "circuit_limited": VEHICLE.high(
        "The circuit[ {node}] leaves {vehicle} too little[: {limit_kw}][ until {until:time}]."
        "[ By plan {expected_soc} at {departs:time}, {goal_soc:up} needed.]",
        "move the bus to a bay on another circuit.",
    ),
    "window_too_short": VEHICLE.high(
        "{vehicle} stands too short: {needed_kwh:up} do not fit before {departs:time}[ even at {limit_kw}].",
        "move the departure, or give the block to another bus.",
    ),
    "connector_limited": VEHICLE.medium(
        "The bay[ {bay}] gives[ at most {limit_kw},] too little for {vehicle}[ by {departs:time}].",
        "move the bus to a stronger bay.",
    ),
    "outranked": VEHICLE.high(
        "Not every departure can be served; {vehicle} gives way[: {missing_kwh:up} are missing in all][ ({limits})].",
        "move its departure, give the block to another bus, or ask for more power.",
    ),
    "charger_fault": STATION.high(
        "Charger {station} reports a fault[ at bay {bay}][: {error}][ ({words})][, since {since:time}]. It does not charge.",
        "move the bus to another bay, then call service.",
        touches=True,
    ),
    "charger_offline": STATION.medium(
        "Charger {station} went silent[ at {since:time}]. Its last schedule holds, then its safe level[ of {safe_kw}].",
        "check its network and its screen.",
        touches=True,
    ),
    "charging_not_started": STATION.high(
        "{vehicle} is plugged in at {bay}, but has taken nothing[ of {asked_kw}] since {since:time}.",
        "re-plug it; if it still takes nothing, use another bay.",
    ),
    "power_below_plan": STATION.medium(
        "Charger {bay} gives {power_kw} of {asked_kw}[ since {since:time}]."
        "[ At this rate {expected_soc} at {departs:time}, {goal_soc:up} needed: {short_kwh:up} short.]",
        "re-plug at {bay}; check derating and cable temperature; if it stays low, use another bay.",
    ),
    "vehicle_limited": VEHICLE.medium(
        "{vehicle} takes less than it could get[: at most {limit_kw}][, {asked_kw} are offered]. Its battery limits itself.",
        "start earlier next time; precondition it if it is cold.",
    ),
    "late_arrival": VEHICLE.high(
        "{vehicle} was to leave at {departs:time} and was not seen leaving[; it stands at {bay}].",
        "ask the dispatcher whether it left or when it will.",
    ),
    "block_exceeds_battery": VEHICLE.high(
        "{vehicle} needs {target_soc:up}[ for block {block}]: the work is longer than its battery[, {short_kwh:up} short].",
        "give the block to another bus, or charge on the way.",
    ),
    "soc_unknown": VEHICLE.medium(
        "No state of charge is known for {vehicle}.",
        "read the dashboard and enter the value: `busbar soc {vehicle} PERCENT`, or on its page.",
    ),
    "soc_stale": VEHICLE.low(
        "No state of charge for {vehicle} since {read:time}[, last {last_soc}].",
        "read the dashboard and enter the value: `busbar soc {vehicle} PERCENT`, or on its page.",
    ),
    "schedule_changed": VEHICLE.high(
        "The work of {vehicle} changed[: it leaves at {departs:time}].",
        "check the new departure; give it to another bus if it cannot be ready.",
    ),
    "recovering": VEHICLE.low(
        "{vehicle} has been on plan again since {since:time}; it counts as on track when that lasts.",
        "nothing; wait two minutes.",
    ),
    "default_work": VEHICLE.low(
        "No work is known for {vehicle}; the site's default holds[: {goal_soc:up} by {departs:time}].",
        "import the schedule, or add its departure.",
    ),
    "departed_short": VEHICLE.high(
        "{vehicle} left[ at {left:time}] with {last_soc}, {goal_soc:up} were needed: {short_kwh:up} short, inside its reserve.",
        "tell the driver; plan a charge on the way.",
    ),
    "departed_missed": VEHICLE.critical(
        "{vehicle} left[ at {left:time}][ with {last_soc}], {goal_soc:up} were needed[: {short_kwh:up} short], not enough for its work.",
        "tell the dispatcher now: swap the bus, or shorten the block.",
    ),
    "departed_late": VEHICLE.medium("{vehicle} left {late_s} after {departs:time}.", "tell the dispatcher."),
    "time_too_short": VEHICLE.critical(
        "{vehicle} cannot be ready by {departs:time}: {goal_soc:up} needed[, at full power it takes {least_s} from {last_soc}].",
        "swap the bus or move its departure; it goes on charging.",
    ),
    "limited_by_hand": VEHICLE.high(
        "A cap set by hand leaves {vehicle} too little[: {limit_kw}][ until {until:time}].",
        "lift the cap, or move the bus to another bay.",
    ),
    "leftover_only": VEHICLE.low(
        "[{vehicle}: ]Only what known departures leave.", "say which bus it is, or add its departure."
    ),
    "stranger_denied": VEHICLE.low(
        "This site gives nothing to a vehicle that it does not know.",
        "say which bus it is, or let unknown vehicles charge: `policies.unknown_vehicles`.",
    ),
    "deadline_passed": VEHICLE.high(
        "The time by which {vehicle} had to be ready is over[: {departs:time}]. It goes on charging.",
        "tell the dispatcher; swap the bus if it cannot wait.",
    ),
    "rule_not_plan": VEHICLE.medium(
        "{vehicle} falls short because this site does not plan; it follows another rule.",
        "set `rule` to `plan` under the site's `policies`.",
    ),
    "departure_over": VEHICLE.low("The departure of {vehicle} at {departs:time} is over.", "nothing."),
}
