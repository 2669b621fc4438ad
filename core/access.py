"""Whether a token may charge here, and why: known tokens, vehicles' own tokens, else the site's policy for guests."""

from __future__ import annotations

from collections.abc import Mapping

from core.messages.gateway import TokenChanged
from core.messages.site import SiteConfig
from core.ports import TokenAnswer


def may_charge(token: str, known: Mapping[str, TokenChanged], config: SiteConfig) -> TokenAnswer:
    """The answer to a shown token (card or EVCCID), without asking anybody; letters' case does not matter.

    `known` holds the last `token.changed` of each token by its `normal` form. A withdrawn token is refused, also where
    guests may charge. The reason is a code of `core/messages/reasons`.
    """
    wanted = normal(token)
    stated = known.get(wanted)
    vehicle = vehicle_of(token, config)
    if stated is not None and not stated.valid:
        return TokenAnswer(False, "token_withdrawn", stated.vehicle or vehicle)
    if stated is not None:
        return TokenAnswer(True, "token_known", stated.vehicle or vehicle)
    if vehicle is not None:
        return TokenAnswer(True, "vehicle_token", vehicle)
    if wanted and config.policies.unknown_vehicles == "leftover":
        return TokenAnswer(True, "guest_allowed")
    return TokenAnswer(False, "token_unknown")


def normal(token: str) -> str:
    """The form in which tokens are compared: readers and lists differ in letters' case and blanks."""
    return token.strip().casefold()


def vehicle_of(token: str, config: SiteConfig) -> str | None:
    """The vehicle that carries this card or EVCCID by the configuration; None where none or several do."""
    wanted = normal(token)
    found = {v.id for v in config.vehicles for own in (*v.tokens, *v.evccids) if normal(own) == wanted and wanted}
    return found.pop() if len(found) == 1 else None
