"""Who looks at a page: sign-in by access token, the cookie, the theme, and the token that every form carries."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from core.ports import HttpRequest
from gateway.http.access import COOKIE

THEME = "busbar_theme"
THEMES = ("", "light", "dark")
MAX_FIELDS = 30


def form(request: HttpRequest) -> dict[str, str]:
    """The fields of a posted form, the last of each name; what is not a form is empty."""
    try:
        text = request.body.decode("utf-8")
        fields = parse_qs(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        return {}
    return {name: values[-1] for name, values in fields.items()}


def cookies(headers: Mapping[str, str]) -> dict[str, str]:
    """The cookies of a request; unreadable ones are none."""
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(headers.get("cookie", "")).items()}
    except CookieError:
        return {}


def theme(request: HttpRequest) -> str:
    """The chosen theme; empty follows the system."""
    chosen = cookies(request.headers).get(THEME, "")
    return chosen if chosen in THEMES else ""


def cookie(name: str, value: str, *, secure: bool, hidden: bool = True, age_s: int | None = None) -> str:
    """A `Set-Cookie` value for this site alone."""
    parts = [f"{name}={value}", "Path=/", "SameSite=Strict"]
    parts += ["HttpOnly"] if hidden else []
    parts += ["Secure"] if secure else []
    parts += [f"Max-Age={age_s}"] if age_s is not None else []
    return "; ".join(parts)


def signed_in(token: str, *, secure: bool) -> str:
    """The cookie of an access token, until the browser closes."""
    return cookie(COOKIE, token, secure=secure)


def signed_out() -> str:
    """Forget the token."""
    return cookie(COOKIE, "", secure=False, age_s=0)


def over_tls(request: HttpRequest) -> bool:
    """Whether the browser speaks TLS, by the origin that it sends with a form."""
    return request.headers.get("origin", "").startswith("https://")


def back(asked: str) -> str:
    """A path of this site to return to; anything else is the first page."""
    plain = asked.startswith("/") and not asked.startswith("//") and "\\" not in asked
    return asked if plain and asked.isprintable() and "\r" not in asked and "\n" not in asked else "/"


class FormTokens:
    """Tokens of forms: bound to who is signed in, worthless after a restart."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def of(self, request: HttpRequest) -> str:
        """The token for this viewer's forms."""
        who = f"{request.headers.get('busbar-user', '')}\x1f{cookies(request.headers).get(COOKIE, '')}"
        return hmac.new(self._key, who.encode(), hashlib.sha256).hexdigest()[:32]

    def fits(self, request: HttpRequest, fields: Mapping[str, str]) -> bool:
        """Whether a posted form carries it."""
        return hmac.compare_digest(self.of(request).encode(), fields.get("token", "").encode())
