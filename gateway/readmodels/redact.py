"""Personal identifiers leave the journal shortened: of a card or vehicle identifier the last four characters remain."""

from __future__ import annotations

import json
import re
from typing import Any

NAMES = frozenset(
    {
        "token",
        "tokens",
        "idtag",
        "idtoken",
        "parentidtag",
        "groupidtoken",
        "evccid",
        "evccids",
        "emaid",
        "contract_id",
        "contractid",
        "uid",
        "vid",
    }
)
"""Fields, in any spelling of case, whose text is such an identifier."""
TEXTS = frozenset({"frame", "item", "raw"})
"""Fields whose text may itself be JSON with such fields in it."""
KEPT = 4
_ELEMENT = re.compile(r"(?i)(<(?:\w+:)?(?:idTag|evccid|emaid|idToken)>)([^<]*)(<)")
_MEMBER = re.compile(r'(?i)("(?:idTag|idToken|parentIdTag|evccid|emaid|token)"\s*:\s*")([^"]*)(")')


def shortened(identifier: str) -> str:
    """`…0001`: the last four characters, or none of a short one."""
    return "…" + (identifier[-KEPT:] if len(identifier) > KEPT else "")


def redacted(value: Any, name: str = "") -> Any:
    """Plain JSON data with identifiers shortened, also inside frames."""
    secret = name.lower().replace("_", "") in NAMES or name.lower() in NAMES
    if isinstance(value, dict):
        return {key: redacted(member, str(key)) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(member, name if secret else "") for member in value]
    if isinstance(value, str) and secret:
        return shortened(value) if value else value
    if isinstance(value, str) and name.lower() in TEXTS:
        return frame(value)
    return value


def frame(text: str) -> str:
    """A frame with identifiers shortened; one that holds none stays as it is, byte for byte."""
    if text[:1] in ("[", "{"):
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            return _MEMBER.sub(_cut, text)
        clean = redacted(data)
        return text if clean == data else json.dumps(clean, ensure_ascii=False)
    return _ELEMENT.sub(_cut, text)


def _cut(match: re.Match[str]) -> str:
    return f"{match[1]}{shortened(match[2])}{match[3]}"
