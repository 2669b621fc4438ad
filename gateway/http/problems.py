"""Answers that say no: RFC 9457 problem documents with the next step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.ports import HttpResponse, NotStored, NotSure

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong with a request: a slug for programs, title and detail for people, and what to do next."""

    status: int
    slug: str
    title: str
    detail: str
    next: str
    headers: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def response(self, instance: str = "") -> HttpResponse:
        """The document of RFC 9457 section 3; `next` is our extension member."""
        document = {
            "type": f"urn:busbar:problem:{self.slug}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "next": self.next,
            **self.extra,
        }
        return HttpResponse(self.status, json.dumps(document).encode(), CONTENT_TYPE, self.headers)


def problem(
    status: int, slug: str, title: str, detail: str, next: str, *, instance: str = "", **extra: Any
) -> HttpResponse:
    """A problem document in one call, for handlers."""
    return Problem(status, slug, title, detail, next, extra=extra).response(instance)


def not_found(path: str) -> Problem:
    """Nothing is served there."""
    return Problem(404, "not-found", "Not found", f"nothing is served at {path}", "see /openapi.json for what is")


def not_allowed(method: str, allowed: list[str]) -> Problem:
    """The path exists, that method does not."""
    names = ", ".join(allowed)
    return Problem(
        405,
        "method-not-allowed",
        "Method not allowed",
        f"{method} is not served here",
        f"use {names}",
        {"Allow": names},
    )


def too_large(limit: int) -> Problem:
    """The body exceeds its bound."""
    return Problem(
        413,
        "too-large",
        "Body too large",
        f"at most {limit} bytes are taken here",
        "send less, or raise `max_body_bytes`",
    )


def too_many(wait_s: int) -> Problem:
    """The address asks too often."""
    return Problem(
        429,
        "too-many-requests",
        "Too many requests",
        "this address asks more often than the listener allows",
        f"wait {wait_s} s, or raise `rate_per_s` of the listener",
        {"Retry-After": str(wait_s)},
    )


def too_slow() -> Problem:
    """The body did not arrive in time."""
    return Problem(408, "too-slow", "Body too slow", "the body did not arrive within its time", "send it again")


def no_token() -> Problem:
    """Nobody is known by what was presented."""
    return Problem(
        401,
        "no-token",
        "A token is needed",
        "no token, or none that is known here",
        "send `Authorization: Bearer TOKEN`; `[[users]]` in the settings says where tokens are",
        {"WWW-Authenticate": 'Bearer realm="busbar"'},
    )


def wrong_role(name: str, role: str, needed: str) -> Problem:
    """The user is known and may not."""
    return Problem(
        403,
        "wrong-role",
        "Not for this role",
        f"`{name}` is {role}; this needs {needed}",
        f"ask somebody with the role {needed}",
    )


def foreign_origin(origin: str) -> Problem:
    """A page of somebody else tried to act here."""
    return Problem(
        403,
        "foreign-origin",
        "Refused for a foreign page",
        f"the request comes from a page of {origin}",
        "act from this hub's own pages, or send a token without a browser",
    )


def not_stored(error: NotStored) -> Problem:
    """The journal could not make it durable, or does not say whether it did."""
    sure = not isinstance(error, NotSure)
    return Problem(
        503,
        "not-stored",
        "Not stored" if sure else "Not sure whether it is stored",
        "the journal did not make it durable, so nothing was changed"
        if sure
        else "the journal did not answer in time: it may still be stored, then it takes effect",
        "send the same again; `busbar doctor` says what is wrong with the journal",
        {"Retry-After": "5"},
    )


def failed(number: str) -> Problem:
    """A defect of ours."""
    return Problem(
        500,
        "internal",
        "Internal error",
        f"the hub failed on this request (log entry {number})",
        "report it with that entry",
    )
