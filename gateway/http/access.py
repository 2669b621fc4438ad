"""Who asks, and whether they may: bearer tokens or the pages' cookie, three roles, loopback alone without users."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from core.ports import Secrets
from gateway.settings.models import Role, User, is_loopback

COOKIE = "busbar_token"
ROLES: tuple[Role, ...] = ("viewer", "operator", "admin")
"""Each may what the ones before it may."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks; `by_cookie` means a browser sent the token by itself."""

    name: str
    role: Role
    by_cookie: bool = False

    def may(self, needed: Role) -> bool:
        """Whether the role covers `needed`."""
        return ROLES.index(self.role) >= ROLES.index(needed)


LOCAL = Identity("local", "admin")
"""Whoever sits at this machine, where no users are configured."""


class Users:
    """Users by token; tokens are kept as digests and compared in constant time."""

    def __init__(self, users: Sequence[User], secrets: Secrets) -> None:
        self._known: list[tuple[bytes, Identity]] = []
        self.unresolved: list[str] = []
        """Users whose reference leads to no token: nobody can be them."""
        self.open = not users
        """No users at all: this hub answers its own machine alone."""
        for user in users:
            token = secrets.get(user.token)
            if token:
                self._known.append((hashlib.sha256(token).digest(), Identity(user.name, user.role)))
            else:
                self.unresolved.append(user.name)

    def admit(self, name: str, role: Role, token: bytes) -> None:
        """Add a token that the hub itself made, for the command line of this machine."""
        self._known.append((hashlib.sha256(token).digest(), Identity(name, role)))

    def find(self, token: str) -> Identity | None:
        """Whose token it is."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        found = None
        for known, identity in self._known:
            if hmac.compare_digest(known, digest):
                found = identity
        return found

    def identify(self, headers: Mapping[str, str], cookies: Mapping[str, str], peer: str) -> Identity | None:
        """Who asks, by `Authorization: Bearer`, else by the pages' cookie; None if nobody that is known."""
        if self.open:
            return LOCAL if is_loopback(peer) and _local_name(headers.get("host", "")) else None
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.find(token.strip())
        found = self.find(cookies[COOKIE]) if cookies.get(COOKIE) else None
        return Identity(found.name, found.role, by_cookie=True) if found else None


def _local_name(host: str) -> bool:
    """Whether a Host header means this machine: a foreign name that resolves to loopback is a browser being misled."""
    return is_loopback(urlsplit(f"//{host}").hostname or "")


def foreign(method: str, headers: Mapping[str, str]) -> str | None:
    """The foreign origin from which a browser acts, or None; reading is not acting."""
    if method in {"GET", "HEAD", "OPTIONS"}:
        return None
    origin = headers.get("origin")
    if origin is None:
        return "another site" if headers.get("sec-fetch-site") in {"cross-site", "same-site"} else None
    return None if urlsplit(origin).netloc == headers.get("host") else origin
