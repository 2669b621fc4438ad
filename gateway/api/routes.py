"""One endpoint as it is declared: what the host needs to serve it and what `/openapi.json` says about it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from core.ports import Handler, HttpRequest, HttpResponse
from gateway.api.answers import Refusal
from gateway.http.host import HttpHost
from gateway.http.problems import Problem
from gateway.journal.log import Damaged
from gateway.next_step import parted
from gateway.settings.models import Role

BASE = "/api/v1"
SMALL = 64 * 1024
JSON = 1024 * 1024
_log = logging.getLogger("busbar.api")
AWAY = Problem(
    503,
    "read-models-away",
    "The read models cannot be read",
    "their database does not answer; sites are controlled all the same",
    "see `database` in the settings, or ask again",
    {"Retry-After": "5"},
)
FILE = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Query:
    """One query parameter."""

    name: str
    says: str
    type: str = "string"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method at one path below `/api/v1`."""

    method: str
    path: str
    handler: Handler
    says: str
    """One sentence: what it is for."""
    query: Sequence[Query] = ()
    body: type[BaseModel] | str | None = None
    """Of a write: the model of its JSON, or the media type of what is taken as it is."""
    max_body: int = 0
    role: Role | None = None
    """None: viewer to read, operator to write."""
    base: str = BASE

    @property
    def full(self) -> str:
        """The whole path."""
        return self.base + self.path


def guarded(handler: Handler) -> Handler:
    """The handler, with refusals as problem documents."""

    async def answer(request: HttpRequest) -> HttpResponse:
        try:
            return await handler(request)
        except Refusal as refusal:
            return refusal.problem.response(request.path)
        except Damaged as error:
            what, step = parted(f"the journal is damaged: {error}", "restore it from its last backup")
            return Problem(409, "journal-damaged", "The journal is damaged", what, step).response(request.path)
        except SQLAlchemyError as error:
            _log.warning("%s %s: %s", request.method, request.path, error)
            return AWAY.response(request.path)

    return answer


def mount_all(http: HttpHost, endpoints: Sequence[Endpoint]) -> None:
    """Mount every endpoint."""
    for endpoint in endpoints:
        role = endpoint.role or "by_mount"
        http.route(
            endpoint.method,
            endpoint.full,
            guarded(endpoint.handler),
            endpoint.max_body or SMALL,
            mount="api",
            role=role,
        )
