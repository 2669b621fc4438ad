"""What chargers send that cannot be used, and what they refuse."""

from __future__ import annotations

from collections.abc import Mapping

from core.messages.reasons.reason import FRAME, SESSION, STATION, Reason

_FIRMWARE = "check the charger's firmware."
_WAIT = "wait for the next try; if it stays so, set its limit on the charger."

CHARGERS: Mapping[str, Reason] = {
    "frame_too_large": FRAME.low("A message of {peer} is larger than is taken[: {size} of {limit} bytes].", _FIRMWARE),
    "action_unknown": FRAME.low(
        "{peer} sent an action that this hub does not know[: {action}].",
        "switch that function off in the charger, or tell us.",
    ),
    "version_refused": STATION.low(
        "{station} offered no protocol version that this hub speaks.", "set ocpp2.0.1 or ocpp1.6 in the charger."
    ),
    "station_unknown": STATION.low(
        "A station that nobody declared knocked: {station}.", "`busbar connect ocpp {station} --accept` if it is yours."
    ),
    "credential_wrong": STATION.medium(
        "{station} knocked with a wrong password.",
        "set its password in the charger: `busbar connect ocpp {station}` shows how.",
    ),
    "connects_too_often": STATION.medium(
        "{station} connects too often and is put off.",
        "look at its network and its supply, and for a second charger that is set to its name.",
    ),
    "connector_unknown": FRAME.low("A message of {peer} names no connector[: {detail}].", _FIRMWARE),
    "time_implausible": FRAME.low(
        "A time in a message of {peer} cannot be right[: {detail}].", "set the charger's clock."
    ),
    "transaction_unknown": SESSION.low(
        "{peer} speaks of a charging session that was never begun; it was taken over.",
        "nothing; if it happens often, check the charger's network.",
    ),
    "transaction_reused": SESSION.medium(
        "{peer} began a session with the number of one that is over. It is kept as another one.",
        "update the charger's firmware: the number of a transaction must never come twice.",
    ),
    "call_rejected": STATION.medium(
        "{station} said no[: {detail}].", "look at its last frames: `busbar trace {station}`."
    ),
    "not_supported": STATION.low(
        "{station} cannot do that[: {detail}].", "use its other ways, or update its firmware."
    ),
    "frame_unreadable": FRAME.low("A message of {peer} is no message of its protocol and was set aside.", _FIRMWARE),
    "schema_violated": FRAME.low(
        "A part of a message of {peer} does not follow its standard[: {detail}]. The good parts were used.", _FIRMWARE
    ),
    "call_refused": FRAME.low("A request of {peer} was refused[: {detail}].", _FIRMWARE),
    "call_timeout": STATION.medium("{station} did not answer in time.", "check its network."),
    "connection_lost": STATION.medium("The connection to {station} was lost before it answered.", "check its network."),
    "composite_empty": STATION.medium("{station} says that no limit is in force, although it took one.", _WAIT),
    "composite_above_wish": STATION.high("{station} says that more is in force than it was told.", _WAIT),
    "measured_above_wish": STATION.high(
        "{station} draws more than it was told.", "set its limit on the charger, or stop it there."
    ),
    "event_type_unknown": FRAME.low("A session event of {peer} is of no known kind and was set aside.", _FIRMWARE),
    "sequence_missing": FRAME.low("A session event of {peer} has no sequence number; its time orders it.", _FIRMWARE),
    "status_unknown": FRAME.low("{peer} reports a status that is not in the standard.", _FIRMWARE),
    "measurand_unknown": FRAME.low("{peer} sends a measurand that is not in the standard.", _FIRMWARE),
    "meter_value_unreadable": FRAME.low(
        "A meter value of {peer} cannot be read[: {detail}].", "check the charger's meter settings."
    ),
    "value_out_of_range": FRAME.low(
        "A value of {peer} is outside of what is possible[: {detail}].", "check the meter."
    ),
    "value_unreadable": FRAME.low("A value of {peer} cannot be read[: {detail}].", _FIRMWARE),
    "too_many_values": FRAME.low(
        "A message of {peer} holds more values than are taken; the rest was set aside.", "raise the charger's interval."
    ),
    "too_many_faults": FRAME.low("A message of {peer} has more faults than are listed.", _FIRMWARE),
    "internal_error": FRAME.medium(
        "A message of {peer} could not be handled here and is kept.", "report this with the id of the message."
    ),
}
