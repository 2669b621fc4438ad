"""Why a record is not complete."""

from __future__ import annotations

from collections.abc import Mapping

from core.messages.reasons.reason import SESSION, Reason

COMMERCE: Mapping[str, Reason] = {
    "register_missing": SESSION.medium(
        "Session {session} has no meter reading at its {edge}. Nothing is billed for it.",
        "read the meter and correct the record by hand.",
    ),
    "register_fell": SESSION.medium(
        "The meter of session {session} ran backwards. Nothing is billed for it.",
        "check the meter; correct the record by hand.",
    ),
}
