"""The one list of reasons: every code with its sentence, its next step and how much it matters; nothing else defines reasons."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from core.messages import words
from core.messages.incident import Severity

About = Literal["vehicle", "station", "source", "node", "feed", "frame", "token", "session", "setting", "outcome"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One code. In its texts `{name}` is a parameter, formatted by its name's unit, and `[...]` falls away without its parameters.

    `{name:up}` rounds up (what is needed), `{name:time}` is a moment in the site's zone. A missing parameter is `?`.
    """

    about: About
    severity: Severity
    sentence: str
    next: str
    touches: bool = False
    """An open incident of this kind puts the departures that it touches at risk."""


def _table(*groups: Mapping[str, Reason]) -> Mapping[str, Reason]:
    table: dict[str, Reason] = {}
    for group in groups:
        twice = table.keys() & group.keys()
        if twice:
            raise ValueError(f"reasons stated twice: {sorted(twice)}; next: keep one of each")
        table.update(group)
    return table


READINESS: Mapping[str, Reason] = {
    "not_plugged": Reason(
        "vehicle",
        "high",
        "{vehicle} is not plugged in[ and needs {needed_kwh:up} before {departs:time}][: it must be plugged in by {by:time}].",
        "send somebody to plug it in; any free bay will do.",
    ),
    "no_allocation": Reason(
        "vehicle",
        "high",
        "No power is planned for {vehicle} yet[, {needed_kwh:up} are needed by {departs:time}].",
        "look at the site's limit and the other departures; if the limit is right, move a departure.",
    ),
    "envelope_limited": Reason(
        "vehicle",
        "high",
        "The site's limit leaves {vehicle} too little[: {limit_kw} from {source}][ until {until:time}]."
        "[ By plan {expected_soc} at {departs:time}, {goal_soc:up} needed.]",
        "ask for more power in that window, or free some: a later departure can wait.",
    ),
    "circuit_limited": Reason(
        "vehicle",
        "high",
        "The circuit[ {node}] leaves {vehicle} too little[: {limit_kw}][ until {until:time}]."
        "[ By plan {expected_soc} at {departs:time}, {goal_soc:up} needed.]",
        "move the bus to a bay on another circuit.",
    ),
    "window_too_short": Reason(
        "vehicle",
        "high",
        "{vehicle} stands too short: {needed_kwh:up} do not fit before {departs:time}[ even at {limit_kw}].",
        "move the departure, or give the block to another bus.",
    ),
    "connector_limited": Reason(
        "vehicle",
        "medium",
        "The bay[ {bay}] gives[ at most {limit_kw},] too little for {vehicle}[ by {departs:time}].",
        "move the bus to a stronger bay.",
    ),
    "outranked": Reason(
        "vehicle",
        "high",
        "Not every departure can be served; {vehicle} gives way[: {missing_kwh:up} are missing in all][ ({limits})].",
        "move its departure, give the block to another bus, or ask for more power.",
    ),
    "charger_fault": Reason(
        "station",
        "high",
        "Charger {station} reports a fault[ at bay {bay}][: {error}][ since {since:time}]. It does not charge.",
        "move the bus to another bay, then call service.",
        touches=True,
    ),
    "charger_offline": Reason(
        "station",
        "medium",
        "Charger {station} is silent[ since {since:time}]. Its last schedule holds, then its safe level[ of {safe_kw}].",
        "check its network and its screen.",
        touches=True,
    ),
    "charging_not_started": Reason(
        "station",
        "high",
        "{vehicle} is plugged in at {bay}, but takes nothing[ of {asked_kw}] since {since:time}.",
        "re-plug it; if it still takes nothing, use another bay.",
    ),
    "power_below_plan": Reason(
        "station",
        "medium",
        "Charger {bay} gives {power_kw} of {asked_kw}[ since {since:time}]."
        "[ At this rate {expected_soc} at {departs:time}, {goal_soc:up} needed: {short_kwh:up} short.]",
        "re-plug at {bay}; check derating and cable temperature; if it stays low, use another bay.",
    ),
    "vehicle_limited": Reason(
        "vehicle",
        "medium",
        "{vehicle} takes less than it could get[: at most {limit_kw}][, {asked_kw} are offered]. Its battery limits itself.",
        "start earlier next time; precondition it if it is cold.",
    ),
    "late_arrival": Reason(
        "vehicle",
        "high",
        "{vehicle} was to leave at {departs:time} and was not seen leaving[; it stands at {bay}].",
        "ask the dispatcher whether it left or when it will.",
    ),
    "not_arrived": Reason(
        "vehicle",
        "high",
        "{vehicle} was due in at {expected:time} and is not here.",
        "ask the dispatcher when it comes.",
    ),
    "block_exceeds_battery": Reason(
        "vehicle",
        "high",
        "{vehicle} needs {target_soc:up}[ for block {block}]: the work is longer than its battery[, {short_kwh:up} short].",
        "give the block to another bus, or charge on the way.",
    ),
    "soc_unknown": Reason(
        "vehicle",
        "medium",
        "No state of charge is known for {vehicle}.",
        "read the dashboard and enter the value.",
    ),
    "soc_stale": Reason(
        "vehicle",
        "low",
        "No state of charge of {vehicle} since {read:time}[, last {last_soc}].",
        "read the dashboard and enter the value.",
    ),
    "schedule_changed": Reason(
        "vehicle",
        "high",
        "The work of {vehicle} changed[: it leaves at {departs:time}].",
        "check the new departure; give it to another bus if it cannot be ready.",
    ),
    "operator_hold": Reason(
        "vehicle",
        "medium",
        "{vehicle} is held[ by {who}][: {why}].",
        "release it when the reason is gone.",
    ),
    "precondition_missing": Reason(
        "vehicle",
        "low",
        "{vehicle} is not preconditioned for {departs:time}.",
        "switch it on in the vehicle while it is plugged in.",
    ),
    "short_slack": Reason(
        "vehicle",
        "high",
        "{vehicle} will be ready at {ready:time}, {slack_s} before it must be[; {needed_slack_s} are wanted].",
        "keep it plugged in; free power if something else goes wrong.",
    ),
    "recovering": Reason(
        "vehicle",
        "low",
        "{vehicle} is on plan again since {since:time}; it counts as on track when that lasts.",
        "nothing; wait two minutes.",
    ),
    "default_work": Reason(
        "vehicle",
        "low",
        "No work is known for {vehicle}; the site's default holds[: {goal_soc:up} by {departs:time}].",
        "import the schedule, or add its departure.",
    ),
    "departed_short": Reason(
        "vehicle",
        "high",
        "{vehicle} left[ at {left:time}] with {last_soc}, {goal_soc:up} were needed: {short_kwh:up} short, inside its reserve.",
        "tell the driver; plan a charge on the way.",
    ),
    "departed_missed": Reason(
        "vehicle",
        "critical",
        "{vehicle} left[ at {left:time}][ with {last_soc}], {goal_soc:up} were needed[: {short_kwh:up} short], not enough for its work.",
        "tell the dispatcher now: swap the bus, or shorten the block.",
    ),
    "departed_late": Reason(
        "vehicle",
        "medium",
        "{vehicle} left {late_s} after {departs:time}.",
        "tell the dispatcher.",
    ),
    "time_too_short": Reason(
        "vehicle",
        "critical",
        "{vehicle} cannot be ready by {departs:time}: {goal_soc:up} needed[, at full power it takes {least_s} from {last_soc}].",
        "swap the bus or move its departure; it goes on charging.",
    ),
    "limited_by_hand": Reason(
        "vehicle",
        "high",
        "A cap set by hand leaves {vehicle} too little[: {limit_kw}][ until {until:time}].",
        "lift the cap, or move the bus to another bay.",
    ),
    "leftover_only": Reason(
        "vehicle", "low", "[{vehicle}: ]Only what known departures leave.", "say which bus it is, or add its departure."
    ),
    "stranger_denied": Reason(
        "vehicle",
        "low",
        "This site gives nothing to a vehicle that it does not know.",
        "say which bus it is, or let unknown vehicles charge: `policies.unknown_vehicles`.",
    ),
    "deadline_passed": Reason(
        "vehicle",
        "high",
        "The time by which {vehicle} had to be ready is over[: {departs:time}]. It goes on charging.",
        "tell the dispatcher; swap the bus if it cannot wait.",
    ),
    "rule_not_plan": Reason(
        "vehicle",
        "medium",
        "{vehicle} falls short because this site does not plan; it follows another rule.",
        "set `rule` to `plan` under the site's `policies`.",
    ),
    "departure_over": Reason("vehicle", "low", "The departure of {vehicle} at {departs:time} is over.", "nothing."),
}
"""Why a departure is not fine."""

INCIDENTS: Mapping[str, Reason] = {
    "missed_charge": Reason(
        "vehicle",
        "high",
        "{vehicle} will not be ready, or left so, for {departs:time}[: {last_soc}, {goal_soc:up} needed].",
        "swap the bus or move its departure; its page says why.",
    ),
    "profile_refused": Reason(
        "station",
        "high",
        "Charger {station} refused its limit at {since:time}[: {why}]. It counts with {ceiling_kw} until it takes one.",
        "wait for the next try; if it refuses again, set its limit on the charger.",
        touches=True,
    ),
    "command_not_confirmed": Reason(
        "station",
        "high",
        "Charger {station} has not confirmed its limit since {since:time}. The larger of old and new is reserved for it.",
        "check the charger; if it stays so, set its limit on the charger.",
        touches=True,
    ),
    "limit_not_obeyed": Reason(
        "station",
        "high",
        "Charger {station} draws or holds more than its limit since {since:time}[: {power_kw} of {asked_kw}].",
        "set its limit on the charger, or stop it there.",
        touches=True,
    ),
    "limit_exceeded": Reason(
        "node",
        "critical",
        "{node} draws {over_kw:up} above its limit of {limit_kw}[ ({source})] since {since:time}.",
        "switch off load beside charging; chargers are being lowered.",
    ),
    "unknown_vehicle": Reason(
        "station",
        "medium",
        "An unknown vehicle stands at {bay} since {since:time}. It charges from what known departures leave.",
        "say which bus it is: `busbar assign VEHICLE {bay}`.",
    ),
    "vehicle_conflict": Reason(
        "station",
        "medium",
        "Evidence disagrees which bus stands at {bay} since {since:time}[: {candidates}].",
        "look, then say which: `busbar assign VEHICLE {bay}`.",
    ),
    "grid_source_lost": Reason(
        "source",
        "high",
        "No signal from {source} since {since:time}. The fallback of {limit_kw} holds.",
        "call the grid operator if it lasts.",
    ),
    "horizon_short": Reason(
        "source",
        "medium",
        "{source} is heard only for {horizon_s} at a time, chargers need {guard_s} to follow. It counts as in fallback.",
        "ask the grid operator for a longer interval, at least {wanted_s}.",
    ),
    "limit_below_safe": Reason(
        "node",
        "high",
        "The limit of {node} is {limit_kw}[ ({source})], its chargers' safe levels and the building need {needed_kw:up}.",
        "lower safe levels or the building's load; chargers that can be reached are lowered.",
    ),
    "building_above_reserve": Reason(
        "node",
        "medium",
        "The building draws {power_kw} since {since:time}, {limit_kw} are reserved for it.",
        "switch off load, or raise the reserve in the configuration.",
    ),
    "plan_refused": Reason(
        "node",
        "high",
        "A plan failed its check[: {detail}]. The plainest rule is followed until one passes.",
        "report this; `busbar why` of the incident names the plan.",
    ),
    "plan_infeasible": Reason(
        "node",
        "high",
        "No plan passed its check[: {detail}]. The last good one holds, under every limit.",
        "report this; `busbar why` of the incident names the plan. Limit chargers by hand if a departure needs it.",
    ),
    "schedule_incomplete": Reason(
        "feed",
        "medium",
        "The schedule {feed} came at {since:time} with {rows} rows that could not be used.",
        "correct those rows and import it again; the good rows are in force.",
    ),
    "panel_lost": Reason(
        "node",
        "critical",
        "All {count} chargers of {node} fell silent together at {since:time}.",
        "check the panel's breaker and its network switch.",
        touches=True,
    ),
    "identity_conflict": Reason(
        "station",
        "medium",
        "Two devices connect as {station} in turns. The older connection is kept.",
        "find the second device and give it its own identity.",
    ),
    "controller_failed": Reason(
        "node",
        "critical",
        "{site} is not controlled: the hub failed at a fact or a decision[ ({detail})]. Chargers keep what they were told, then their safe level.",
        "restart the hub; if it stays so, `busbar doctor`, and report it with the log.",
    ),
}
"""What needs a person, one per cause. Readiness codes are incident kinds too where a person can act."""

OCPP: Mapping[str, Reason] = {
    "frame_too_large": Reason(
        "frame",
        "low",
        "A message of {peer} is larger than is taken[: {size} of {limit} bytes].",
        "check the charger's firmware.",
    ),
    "action_unknown": Reason(
        "frame",
        "low",
        "{peer} sent an action that this hub does not know[: {action}].",
        "switch that function off in the charger, or tell us.",
    ),
    "answer_unexpected": Reason(
        "frame",
        "low",
        "{peer} answered a question that nobody asked, or answered twice.",
        "check the charger's firmware.",
    ),
    "version_mismatch": Reason(
        "station",
        "high",
        "{station} speaks another protocol version than it agreed to.",
        "set one protocol version in the charger and restart it.",
    ),
    "version_refused": Reason(
        "station",
        "low",
        "{station} offered no protocol version that this hub speaks.",
        "set ocpp2.0.1 or ocpp1.6 in the charger.",
    ),
    "station_unknown": Reason(
        "station",
        "low",
        "A station that nobody declared knocked: {station}.",
        "`busbar connect ocpp {station} --accept` if it is yours.",
    ),
    "credential_wrong": Reason(
        "station",
        "medium",
        "{station} knocked with a wrong password.",
        "set its password in the charger: `busbar connect ocpp {station}` shows how.",
    ),
    "connects_too_often": Reason(
        "station",
        "medium",
        "{station} connects too often and is put off.",
        "look at its network and its supply, and for a second charger that is set to its name.",
    ),
    "connector_unknown": Reason(
        "station",
        "medium",
        "{station} speaks of a connector that is not declared[: {evse}].",
        "declare it in the configuration.",
    ),
    "meter_implausible": Reason(
        "session",
        "low",
        "A meter reading of {peer} cannot be right[: {detail}]. It is kept and not billed.",
        "check the meter.",
    ),
    "clock_skew": Reason(
        "station",
        "low",
        "The clock of {station} is off by {skew_s}.",
        "set its time server; the hub sends the time with each answer.",
    ),
    "time_implausible": Reason(
        "frame", "low", "A time in a message of {peer} cannot be right[: {detail}].", "set the charger's clock."
    ),
    "transaction_unknown": Reason(
        "session",
        "low",
        "{peer} speaks of a charging session that was never begun; it was taken over.",
        "nothing; if it happens often, check the charger's network.",
    ),
    "rate_exceeded": Reason(
        "frame",
        "low",
        "{peer} sends more than is taken; the rest is refused for a while.",
        "check the charger's intervals.",
    ),
    "call_rejected": Reason(
        "station", "medium", "{station} said no[: {detail}].", "look at its last frames: `busbar trace {station}`."
    ),
    "not_supported": Reason(
        "station", "low", "{station} cannot do that[: {detail}].", "use its other ways, or update its firmware."
    ),
    "frame_unreadable": Reason(
        "frame",
        "low",
        "A message of {peer} is no message of its protocol and was set aside.",
        "check the charger's firmware.",
    ),
    "schema_violated": Reason(
        "frame",
        "low",
        "A part of a message of {peer} does not follow its standard[: {detail}]. The good parts were used.",
        "check the charger's firmware.",
    ),
    "call_refused": Reason(
        "frame", "low", "A request of {peer} was refused[: {detail}].", "check the charger's firmware."
    ),
    "call_timeout": Reason("station", "medium", "{station} did not answer in time.", "check its network."),
    "connection_lost": Reason(
        "station", "medium", "The connection to {station} was lost before it answered.", "check its network."
    ),
    "composite_empty": Reason(
        "station",
        "medium",
        "{station} says that no limit is in force, although it took one.",
        "wait for the next try; if it stays so, set its limit on the charger.",
    ),
    "composite_above_wish": Reason(
        "station",
        "high",
        "{station} says that more is in force than it was told.",
        "wait for the next try; if it stays so, set its limit on the charger.",
    ),
    "measured_above_wish": Reason(
        "station", "high", "{station} draws more than it was told.", "set its limit on the charger, or stop it there."
    ),
    "event_type_unknown": Reason(
        "frame",
        "low",
        "A session event of {peer} is of no known kind and was set aside.",
        "check the charger's firmware.",
    ),
    "sequence_missing": Reason(
        "frame",
        "low",
        "A session event of {peer} has no sequence number; its time orders it.",
        "check the charger's firmware.",
    ),
    "status_unknown": Reason(
        "frame", "low", "{peer} reports a status that is not in the standard.", "check the charger's firmware."
    ),
    "measurand_unknown": Reason(
        "frame", "low", "{peer} sends a measurand that is not in the standard.", "check the charger's firmware."
    ),
    "meter_value_unreadable": Reason(
        "frame", "low", "A meter value of {peer} cannot be read[: {detail}].", "check the charger's meter settings."
    ),
    "value_out_of_range": Reason(
        "frame", "low", "A value of {peer} is outside of what is possible[: {detail}].", "check the meter."
    ),
    "value_unreadable": Reason(
        "frame", "low", "A value of {peer} cannot be read[: {detail}].", "check the charger's firmware."
    ),
    "too_many_values": Reason(
        "frame",
        "low",
        "A message of {peer} holds more values than are taken; the rest was set aside.",
        "raise the charger's interval.",
    ),
    "too_many_faults": Reason(
        "frame", "low", "A message of {peer} has more faults than are listed.", "check the charger's firmware."
    ),
    "internal_error": Reason(
        "frame",
        "medium",
        "A message of {peer} could not be handled here and is kept.",
        "report this with the id of the message.",
    ),
}
"""What chargers send that cannot be used, and what they refuse."""

SCHEDULES: Mapping[str, Reason] = {
    "field_missing": Reason("feed", "low", "Row {row} of {feed} has no {field}.", "fill it and import the file again."),
    "column_missing": Reason(
        "feed", "medium", "{feed} has no column {field}.", "add the column; the documentation lists all of them."
    ),
    "reference_broken": Reason(
        "feed",
        "low",
        "Row {row} of {feed} points to something that is not in it[: {detail}].",
        "export the file whole and import it again.",
    ),
    "format_unknown": Reason(
        "feed",
        "medium",
        "{feed} is in no format that this hub reads.",
        "name the format: `busbar import FILE --format NAME`.",
    ),
    "file_too_large": Reason("feed", "medium", "{feed} is larger than is taken.", "send one period at a time."),
    "archive_broken": Reason("feed", "high", "The archive {feed} cannot be opened[: {detail}].", "pack it again."),
    "vehicle_unknown": Reason(
        "feed",
        "medium",
        "Row {row} names vehicle {vehicle}, which is not declared.",
        "correct the row, or declare the vehicle.",
    ),
    "vehicle_type_unknown": Reason(
        "feed", "medium", "Row {row} names vehicle type {type}, which is not declared.", "declare the type, or map it."
    ),
    "work_unknown": Reason(
        "feed",
        "medium",
        "Row {row} assigns block {block} of {day}, which no schedule holds.",
        "import the schedule first, or correct the row.",
    ),
    "distance_unknown": Reason(
        "feed", "low", "Block {block} has no distance; it was estimated.", "state distances in the feed."
    ),
    "import_shrunk": Reason(
        "feed",
        "high",
        "{feed} holds far fewer blocks than before[: {detail}].",
        "let the dispatcher confirm it; the last schedule holds until then.",
    ),
    "row_malformed": Reason(
        "feed",
        "low",
        "Row {row} of {feed} cannot be read[: {detail}]. The other rows were used.",
        "correct the row and import it again.",
    ),
    "row_duplicate": Reason(
        "feed",
        "low",
        "Row {row} of {feed} states again what an earlier row says; the first holds.",
        "keep one of them.",
    ),
    "column_unknown": Reason(
        "feed",
        "low",
        "{feed} has a column that means nothing here[: {field}]; it was passed over.",
        "correct its name, or leave it out.",
    ),
    "outside_horizon": Reason(
        "feed",
        "low",
        "{feed} has departures on days that are long over or too far ahead; they were passed over.",
        "correct the day, or import it again when it comes nearer.",
    ),
    "table_missing": Reason(
        "feed",
        "high",
        "{feed} lacks a table that it needs[: {detail}]. The last good schedule holds.",
        "export that table too and import again.",
    ),
    "table_too_long": Reason(
        "feed", "medium", "{feed} has more rows than are taken.", "split the file by operating day."
    ),
    "not_a_table": Reason(
        "feed", "medium", "{feed} is no table[: {detail}].", "send CSV or JSON as the documentation shows."
    ),
    "feed_truncated": Reason(
        "feed",
        "high",
        "{feed} ends too early[: {detail}]. Nothing of it was used; the last good schedule holds.",
        "send the whole file again.",
    ),
    "file_incomplete": Reason(
        "feed", "medium", "A file of {feed} holds fewer rows than it states[: {detail}].", "export it again."
    ),
    "wrong_encoding": Reason(
        "feed",
        "medium",
        "{feed} is not in the encoding that it states[: {detail}].",
        "export it as UTF-8 or as its head says.",
    ),
    "block_broken": Reason(
        "feed",
        "medium",
        "A block of {feed} does not hang together and was set aside[: {detail}].",
        "correct it in the planning system and export again.",
    ),
    "outside_span": Reason(
        "feed", "medium", "No operating day of {feed} lies in the days asked for.", "export the coming days."
    ),
    "day_missing": Reason(
        "feed", "low", "Row {row} of {feed} has a time without a day.", "add a column operating_day."
    ),
    "day_invalid": Reason(
        "feed", "low", "Row {row} of {feed} has a day that cannot be read[: {detail}].", "write it as 2026-11-25."
    ),
    "time_invalid": Reason(
        "feed",
        "low",
        "Row {row} of {feed} has a time that cannot be read[: {detail}].",
        "write it as 06:20 or 2026-11-25T06:20.",
    ),
    "number_invalid": Reason(
        "feed",
        "low",
        "Row {row} of {feed} has a number that cannot be used[: {detail}].",
        "correct it and import the file again.",
    ),
    "arrival_before_departure": Reason(
        "feed", "low", "Row {row} of {feed} returns before it leaves.", "correct the times."
    ),
    "times_overlap": Reason(
        "feed",
        "low",
        "Trips of a block in {feed} overlap[: {detail}]; it was used as it is.",
        "correct it in the planning system.",
    ),
    "need_missing": Reason(
        "feed", "low", "Row {row} of {feed} states no distance, energy or target.", "fill one of the three."
    ),
    "subject_missing": Reason(
        "feed", "low", "Row {row} of {feed} names neither vehicle nor block.", "fill one of the two."
    ),
    "departure_in_past": Reason(
        "feed",
        "low",
        "A departure of {feed} is over already and was not taken[: {detail}].",
        "correct the day, if it is one to come.",
    ),
    "work_not_known_yet": Reason(
        "feed",
        "medium",
        "An assignment of {feed} names a block that no schedule holds yet[: {detail}].",
        "import the schedule; the assignment then takes effect.",
    ),
}
"""Rows and files of schedules that cannot be used."""

GRID: Mapping[str, Reason] = {
    "token_wrong": Reason(
        "source",
        "medium",
        "A request came with a wrong token[ ({peer})] and was refused.",
        "register again, or compare the tokens.",
    ),
    "token_missing": Reason(
        "source",
        "low",
        "A request came without a token[ ({peer})] and was refused.",
        "send the token that was agreed at registration.",
    ),
    "not_registered": Reason(
        "source", "medium", "{peer} spoke before it registered and was refused.", "register first."
    ),
    "group_unknown": Reason(
        "source",
        "medium",
        "{peer} sent a limit for group {group}, which is not mapped.",
        "map the group to a node in the configuration.",
    ),
    "capacity_negative": Reason(
        "source",
        "medium",
        "{peer} sent a negative capacity[: {value}]. That part was not used.",
        "ask the grid operator to correct it.",
    ),
    "capacity_missing": Reason(
        "source",
        "medium",
        "{peer} sent a block without a capacity. That part was not used.",
        "ask the grid operator to correct it.",
    ),
    "window_reversed": Reason(
        "source",
        "medium",
        "{peer} sent a window that ends before it begins. That part was not used.",
        "ask the grid operator to correct it.",
    ),
    "window_past": Reason(
        "source",
        "low",
        "{peer} sent a window that is over. That part was not used.",
        "check the grid operator's clock.",
    ),
    "window_overlapping": Reason(
        "source",
        "low",
        "{peer} sent windows that overlap; the lower limit holds in each.",
        "ask the grid operator to correct it.",
    ),
    "unit_unknown": Reason(
        "source",
        "medium",
        "{peer} sent a limit in a unit that is not known[: {value}].",
        "ask the grid operator for kW, W or A.",
    ),
    "kind_unknown": Reason(
        "source",
        "low",
        "{peer} sent a kind of limit that this hub does not use[: {value}].",
        "nothing, or ask the grid operator.",
    ),
    "body_too_large": Reason("source", "low", "A request of {peer} is larger than is taken.", "send it in parts."),
    "peer_unreachable": Reason(
        "source", "medium", "{peer} cannot be reached[: {detail}].", "check its address and the network."
    ),
    "url_refused": Reason(
        "source",
        "medium",
        "The address that {peer} gave is not allowed[: {detail}].",
        "use https, or allow the address in the configuration.",
    ),
    "forecast_ended": Reason(
        "source",
        "high",
        "The last limits of {source} have run out[ at {since:time}]; its fallback holds.",
        "call the grid operator.",
    ),
    "source_never_heard": Reason(
        "source",
        "medium",
        "{source} has not been heard yet; its fallback holds[: {limit_kw}].",
        "let the grid operator register, or register with him.",
    ),
    "source_back": Reason("source", "low", "{source} is back.", "nothing."),
    "capacity_block_invalid": Reason(
        "source",
        "medium",
        "{peer} sent a capacity block that cannot be used[: {detail}]. The other blocks were used.",
        "ask the grid operator to correct it.",
    ),
    "segment_invalid": Reason(
        "source",
        "medium",
        "{peer} sent a step that cannot be used[: {detail}].",
        "ask the grid operator to correct it.",
    ),
    "message_invalid": Reason(
        "source", "low", "A message of {peer} cannot be used[: {detail}].", "ask the peer to correct it."
    ),
    "not_json": Reason("source", "low", "A message of {peer} is not JSON in UTF-8.", "ask the peer to correct it."),
    "version_unsupported": Reason(
        "source",
        "medium",
        "{peer} offers no protocol version that this hub speaks.",
        "ask the grid operator for OSCP 2.0.",
    ),
    "registration_unanswered": Reason(
        "source", "medium", "{peer} did not answer the registration.", "check its address, then register again."
    ),
}
"""Requests of grid operators that cannot be used, and why a source is in fallback."""

TELEMETRY: Mapping[str, Reason] = {
    "telemetry_broken": Reason(
        "frame", "low", "A reading cannot be read[: {detail}]. The other readings were used.", "correct the sender."
    ),
    "subject_unknown": Reason(
        "frame", "low", "A reading is about {subject}, which is not declared.", "declare it, or correct the sender."
    ),
    "value_implausible": Reason(
        "frame", "low", "A reading cannot be right[: {detail}]. It was set aside.", "check the sender."
    ),
    "reading_old": Reason(
        "frame", "low", "A reading is older than what is known; it was kept, not used.", "check the sender's clock."
    ),
    "reading_future": Reason(
        "frame", "low", "A reading lies in the future[: {detail}]. It was set aside.", "check the sender's clock."
    ),
}
"""Vehicle and site readings that cannot be used."""

ACCESS: Mapping[str, Reason] = {
    "site_unknown": Reason(
        "token",
        "low",
        "The card was shown at a site that this hub does not know.",
        "declare the site in the configuration.",
    ),
    "token_known": Reason("token", "low", "The card is known[ and belongs to {vehicle}].", "nothing."),
    "vehicle_token": Reason("token", "low", "The card belongs to {vehicle}.", "nothing."),
    "guest_allowed": Reason(
        "token",
        "low",
        "The card is not known; this site lets guests charge from what is left.",
        "nothing, or add the card.",
    ),
    "token_unknown": Reason(
        "token",
        "low",
        "The card is not known here and this site takes known ones only.",
        "add the card, or let another card start.",
    ),
    "token_withdrawn": Reason("token", "low", "The card was withdrawn.", "use another card, or make it valid again."),
}
"""Why a card may charge or not."""

COMMERCE: Mapping[str, Reason] = {
    "register_missing": Reason(
        "session",
        "medium",
        "Session {session} has no meter reading at its {edge}. Nothing is billed for it.",
        "read the meter and correct the record by hand.",
    ),
    "register_fell": Reason(
        "session",
        "medium",
        "The meter of session {session} ran backwards. Nothing is billed for it.",
        "check the meter; correct the record by hand.",
    ),
}
"""Why a record is not complete."""

ACTS: Mapping[str, Reason] = {
    "cap_above_rating": Reason(
        "station",
        "low",
        "Refused: {station} gives at most {limit_kw}, so {asked_kw} caps nothing.",
        "name less than that; exactly {limit_kw} lifts an earlier cap.",
    ),
    "cap_below_safe": Reason(
        "station",
        "low",
        "{asked_kw} is less than the safe level of {station}: if it falls silent, it draws up to {safe_kw} after its last schedule.",
        "if it must not, switch it off at the charger.",
    ),
    "cap_costs": Reason(
        "vehicle",
        "high",
        "{vehicle} gets {planned_kwh} by its departure[ at {departs:time}] with this cap, {needed_kwh:up} are needed; without it {before_kwh}.",
        "cap it shorter or higher, or move the bus to another bay.",
    ),
    "station_not_placed": Reason(
        "station",
        "low",
        "{station} has no place in the site's tree of limits, so it gets 0 kW.",
        "give it a node in the configuration.",
    ),
    "nothing_changed": Reason("outcome", "low", "Nothing changed.", "nothing."),
    "departure_unknown": Reason(
        "vehicle", "low", "No departure of {vehicle} is known.", "`busbar departure add {vehicle} TIME --km DISTANCE`."
    ),
}
"""Why an act was refused."""

SETTINGS: Mapping[str, Reason] = {
    "setting_unknown": Reason(
        "setting", "medium", "{key} is no setting[; did you mean {nearest}].", "correct the name."
    ),
    "setting_wrong": Reason("setting", "medium", "{key} cannot be {value}[: {detail}].", "correct the value."),
    "topology_cyclic": Reason(
        "setting",
        "high",
        "The tree of limits goes in a circle[ at {node}].",
        "give each node one parent, and one node none.",
    ),
    "parent_unknown": Reason(
        "setting", "high", "{node} hangs below {parent}, which is not declared.", "declare it, or correct the name."
    ),
    "safe_levels_exceed": Reason(
        "setting",
        "high",
        "Safe levels and the building's reserve need {needed_kw:up} at {node}, {limit_kw} is the limit[ ({source})].",
        "lower safe levels at {node}.",
    ),
    "secret_missing": Reason(
        "setting", "high", "The secret {ref} cannot be read.", "write it to the file, or set the variable."
    ),
    "zone_unknown": Reason(
        "setting", "high", "The time zone {value} is not known.", "use an IANA name, for example Europe/Berlin."
    ),
    "journal_damaged": Reason(
        "setting",
        "critical",
        "The journal does not verify[: {detail}]. Reports and lineage of what was stored before can be wrong.",
        "stop the hub, keep a copy of the data folder, and restore the journal from its last backup.",
    ),
    "journal_locked": Reason(
        "setting", "high", "Another hub writes this journal.", "stop the other one, or use another data folder."
    ),
    "journal_full": Reason(
        "setting",
        "critical",
        "The journal's disk is full; nothing is acknowledged.",
        "free space; the hub then goes on by itself.",
    ),
}
"""What is wrong with a configuration or an installation."""

REASONS: Mapping[str, Reason] = _table(
    READINESS, INCIDENTS, OCPP, SCHEDULES, GRID, TELEMETRY, ACCESS, COMMERCE, ACTS, SETTINGS
)
"""All reasons by their code."""

_PART = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)(?::(\w+))?\}")


def sentence(code: str, params: Mapping[str, Any], *, zone: str, now: datetime | None = None) -> str:
    """What, numbers, since when; moments in `zone`, with their day where it is not that of `now`. Never raises."""
    reason = REASONS.get(code)
    if reason is None:
        return f"{code.replace('_', ' ').capitalize() or 'Something'}: this version has no words for it."
    return _fill(reason.sentence, params, zone, now)


def next_step(code: str, params: Mapping[str, Any], *, zone: str, now: datetime | None = None) -> str:
    """What a person can do, to be shown after `Next: `. Never raises."""
    reason = REASONS.get(code)
    return "upgrade busbar." if reason is None else _fill(reason.next, params, zone, now)


def told(code: str, params: Mapping[str, Any], *, zone: str, now: datetime | None = None) -> str:
    """Sentence and next step in one line, as the command line and mail show it."""
    return f"{sentence(code, params, zone=zone, now=now)} Next: {next_step(code, params, zone=zone, now=now)}"


def ranked(codes: Iterable[str]) -> tuple[str, ...]:
    """`codes` in the order in which readiness reasons rank, each once; codes of other groups come last, by name."""
    order = {code: rank for rank, code in enumerate(READINESS)}
    return tuple(sorted(set(codes), key=lambda code: (order.get(code, len(order)), code)))


def slots(code: str) -> frozenset[str]:
    """The names of the parameters that a code's texts use; empty for an unknown code."""
    reason = REASONS.get(code)
    return frozenset() if reason is None else frozenset(n for n, _ in _SLOT.findall(reason.sentence + reason.next))


def missing(code: str, params: Mapping[str, Any]) -> frozenset[str]:
    """The names without a value that would stand as `?` in a code's texts."""
    reason = REASONS.get(code)
    texts = "" if reason is None else _PART.sub("", reason.sentence) + _PART.sub("", reason.next)
    return frozenset(name for name, _ in _SLOT.findall(texts) if params.get(name) in (None, ""))


def _fill(template: str, params: Mapping[str, Any], zone: str, now: datetime | None) -> str:
    def optional(part: re.Match[str]) -> str:
        names = [name for name, _ in _SLOT.findall(part[1])]
        return part[1] if all(params.get(name) not in (None, "") for name in names) else ""

    def slot(match: re.Match[str]) -> str:
        return _value(match[1], params.get(match[1]), match[2] or "", zone, now)

    return _SLOT.sub(slot, _PART.sub(optional, template))


def _value(name: str, value: Any, spec: str, zone: str, now: datetime | None) -> str:
    """One parameter in words: by `time`, else by the unit at the end of its name, else as it is."""
    if value is None or value == "":
        return words.UNKNOWN
    if spec == "time":
        return _time(value, zone, now)
    unit = name.rsplit("_", 1)[-1] if "_" in name else ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(unit, float(value), spec == "up")
    if isinstance(value, list | tuple):
        return words.listed([str(v) for v in value])
    return str(value)


def _number(unit: str, value: float, up: bool) -> str:
    if unit == "soc":
        return words.percent(value, up=up)
    if unit == "s":
        return words.span(value)
    if unit in words.UNITS:
        return words.amount(value, words.UNITS[unit], up=up)
    return f"{value:g}"


def _time(value: Any, zone: str, now: datetime | None) -> str:
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        return str(value)
    return words.moment(moment, zone, now=now) if moment.tzinfo else str(value)
