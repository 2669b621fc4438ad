"""Evidence without secrets: values at declared paths give way to a keyed digest, every other character stays as it was.

A path is written as `setVariableData/*/attributeValue(variable.name)`: members from the outside to the inside, `*` for
every item of a list. A member with brackets counts only where the member in the brackets, beside it, names a secret.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from core.ports import Secrets

NAMES = ("authorizationkey", "passphrase", "password", "privatekey")
"""What a key or variable that holds a secret has in its name, in any spelling of case."""
WITHHELD = "(withheld: it cannot be read, and may hold a secret)"
_DECODER = json.JSONDecoder()
_BLANKS = re.compile(r"[ \t\n\r]*")
_STEP = re.compile(r"([^()]+)(?:\(([^()]+)\))?")


class Sealed(NamedTuple):
    """A text that holds no declared secret, and the JSON Pointers of the values that were replaced in it."""

    text: str
    secrets: tuple[str, ...] = ()


class _Step(NamedTuple):
    member: str
    beside: tuple[_Step, ...] = ()


class _Found(NamedTuple):
    pointer: str
    start: int
    end: int


class Seal:
    """Replaces the secrets at some paths; the same secret reads the same in all evidence of a site, and in no other's."""

    def __init__(self, key: bytes, paths: Iterable[str]) -> None:
        self._key = key
        self._paths = [_steps(path.split("/")) for path in paths]
        always = {f'"{path[-1].member}"' for path in self._paths if not any(step.beside for step in path)}
        self._marks = (*sorted(always), *NAMES)

    def mark(self, secret: str) -> str:
        """What stands for a secret."""
        known = hmac.new(self._key, secret.encode("utf-8", "surrogatepass"), hashlib.sha256)
        return f"secret:{known.hexdigest()[:12]}"

    def mentions(self, text: str) -> bool:
        """Whether a name of a secret stands somewhere in the text."""
        plain = text.lower()
        return any(mark in plain for mark in self._marks)

    def close(self, text: str) -> Sealed:
        """The text without its secrets; one that is no JSON and may hold one is withheld as a whole."""
        if not self.mentions(text) and "\\u" not in text:
            return Sealed(text)
        try:
            _DECODER.decode(text)
            found = sorted(
                {f for path in self._paths for f in _find(text, _blank(text, 0), path)}, key=lambda f: f.start
            )
        except (ValueError, RecursionError):
            return Sealed(WITHHELD if self.mentions(text) else text)
        return self._replaced(text, found)

    def _replaced(self, text: str, found: list[_Found]) -> Sealed:
        parts, pointers, at = [], [], 0
        for pointer, start, end in found:
            if start < at or text[start:end] == "null":
                continue  # because: it lies within another that is gone, or says that there is none
            value = _DECODER.raw_decode(text, start)[0]
            secret = self.mark(value if isinstance(value, str) else text[start:end])
            parts += [text[at:start], f'"{secret}"']
            pointers.append(pointer)
            at = end
        return Sealed("".join([*parts, text[at:]]), tuple(pointers))


def site_key(kept: Secrets, site: str) -> bytes:
    """The key of a site's digests, made on first use; durable when this returns."""
    ref = f"data:evidence.{site}"
    key = kept.get(ref)
    if not key:
        key = secrets.token_bytes(32)
        kept.put(ref, key)
    return key


def _steps(parts: Iterable[str]) -> tuple[_Step, ...]:
    matches = [_STEP.fullmatch(part) for part in parts]
    return tuple(_Step(m[1].lower(), _steps((m[2] or "").split(".")) if m[2] else ()) for m in matches if m)


def _find(text: str, at: int, path: tuple[_Step, ...], pointer: str = "") -> Iterator[_Found]:
    """Where the values at that path stand, below the value that begins at `at`; members that are there twice, twice."""
    step, below = path[0], path[1:]
    children = [c for c in _children(text, at) if step.member == ("*" if isinstance(c[0], int) else c[0].lower())]
    if step.beside and children and not any(_named(text, found) for found in _find(text, at, step.beside)):
        return
    for name, start, end in children:
        here = f"{pointer}/{name}"
        if below:
            yield from _find(text, start, below, here)
        else:
            yield _Found(here, start, end)


def _named(text: str, found: _Found) -> bool:
    value = _DECODER.raw_decode(text, found.start)[0]
    said = (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).lower()
    return any(name in said for name in NAMES)


def _children(text: str, at: int) -> Iterator[tuple[str | int, int, int]]:
    """Name or number, beginning and end of every value in the object or list that begins at `at`; none in another value."""
    if text[at] not in "[{":
        return
    named, index, at = text[at] == "{", 0, _blank(text, at + 1)
    while text[at] not in "]}":
        name: str | int = index
        if named:
            name, at = _DECODER.raw_decode(text, at)
            at = _blank(text, _blank(text, at) + 1)
        end = _DECODER.raw_decode(text, at)[1]
        yield name, at, end
        index, at = index + 1, _blank(text, end)
        if text[at] == ",":
            at = _blank(text, at + 1)


def _blank(text: str, at: int) -> int:
    return _BLANKS.match(text, at).end()  # type: ignore[union-attr]  # because: it matches nothing as well
