"""Vehicle and site readings that cannot be used."""

from __future__ import annotations

from collections.abc import Mapping

from core.messages.reasons.reason import FRAME, Reason

TELEMETRY: Mapping[str, Reason] = {
    "telemetry_broken": FRAME.low(
        "A reading cannot be read[: {detail}]. The other readings were used.", "correct the sender."
    ),
    "subject_unknown": FRAME.low(
        "A reading is about {subject}, which is not declared.", "declare it, or correct the sender."
    ),
    "value_implausible": FRAME.low("A reading cannot be right[: {detail}]. It was set aside.", "check the sender."),
    "reading_future": FRAME.low(
        "A reading lies in the future[: {detail}]. It was set aside.", "check the sender's clock."
    ),
}
