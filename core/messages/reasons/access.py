"""Why a card may charge or not."""

from __future__ import annotations

from collections.abc import Mapping

from core.messages.reasons.reason import TOKEN, Reason

ACCESS: Mapping[str, Reason] = {
    "site_unknown": TOKEN.low(
        "The card was shown at a site that this hub does not know.", "declare the site in the configuration."
    ),
    "token_known": TOKEN.low("The card is known[ and belongs to {vehicle}].", "nothing."),
    "vehicle_token": TOKEN.low("The card belongs to {vehicle}.", "nothing."),
    "guest_allowed": TOKEN.low(
        "The card is not known; this site lets guests charge from what is left.", "nothing, or add the card."
    ),
    "token_unknown": TOKEN.low(
        "The card is not known here and this site takes known ones only.", "add the card, or let another card start."
    ),
    "token_withdrawn": TOKEN.low("The card was withdrawn.", "use another card, or make it valid again."),
}
