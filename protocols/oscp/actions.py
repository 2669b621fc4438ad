"""What each OSCP request means: a table of actions, each from a read body to facts, an answer and what to do after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from core.messages import Message, identify
from core.messages.grid import SourceContacted
from protocols.oscp.conversation import MAX_JOBS, Conversation
from protocols.oscp.evidence import fact
from protocols.oscp.settings import allowed
from protocols.oscp.translate import Fault, constraint, freshness, moment, promise
from protocols.oscp.wire import ComplianceError, Forecast, Handshake, Heartbeat, Register


@dataclass(slots=True)
class Exchange:
    """One request while it is looked at, and what follows from it."""

    talk: Conversation
    method: str
    request: str
    """The request's natural key: the peer's request id with a digest of the content."""
    correlate: str | None
    """What an answer of ours names as its correlation id: the peer's request id."""
    by: Literal["first", "in"]
    """Which token the request came with: token A, or the one that we gave the peer."""
    now: datetime
    evidence: str
    facts: list[Message] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    state: dict[str, Any] | None = None
    owes: list[dict[str, Any]] = field(default_factory=list)
    """What we have to say for it after the answer; part of the state, so that a crash between the two loses nothing."""
    then: Callable[[], None] | None = None
    fresh_until: datetime | None = None

    def contact(self, kind: Literal["handshake", "heartbeat"], fresh_until: datetime) -> None:
        """A sign of life for every source that this peer speaks for; now, so a reused request id counts anew."""
        peer = self.talk.peer
        self.fresh_until = fresh_until
        for source in dict.fromkeys(peer.groups.values()):
            self.facts.append(
                fact(
                    SourceContacted(source=source, kind=kind),
                    key=(self.request, source, self.now),
                    peer=peer.name,
                    site=peer.site,
                    now=self.now,
                    causes=(self.evidence,),
                    fresh_until=fresh_until,
                )
            )

    def owe(self, action: str) -> None:
        """Say this after the answer: once for a request that the peer repeats, and of registrations the newest alone."""
        assert self.state is not None, "what is owed is part of the state"
        others = [step for step in self.talk.owed if action != "register" or step["action"] != action]
        again = {"action": action, "correlation": self.correlate}.items()
        if not (self.correlate and any(again <= step.items() for step in others)):
            step = {"action": action, "id": identify(self.evidence, action), "correlation": self.correlate}
            self.owes = [{name: value for name, value in step.items() if value}]
        self.state["owes"] = [*others, *self.owes][-MAX_JOBS:]


@dataclass(frozen=True, slots=True)
class Reply:
    """Status 204, or an error with what is wrong and what next."""

    status: int = 204
    message: str = ""


Action = Callable[[Exchange, Any], Awaitable[Reply]]


async def register(exchange: Exchange, data: Any) -> Reply:
    """POST: a registration or the peer's half of ours; PUT: a new token or address; DELETE: the end."""
    talk = exchange.talk
    if exchange.method == "DELETE":
        await talk.use_up()
        exchange.state = {}
        return Reply()
    body = Register.model_validate(data)
    version = next((v for v in body.version_url if v.version == "2.0" or v.version.startswith("2.0.")), None)
    if version is None:
        return _fault(exchange, 501, "version_unsupported", "none of the versions is 2.0; next: offer OSCP 2.0")
    if not allowed(version.base_url, talk.peer.plain):
        what = "base_url must be an https URL without credentials; next: register with such a URL"
        return _fault(exchange, 400, "url_refused", what)
    ref = talk.fresh_ref("out")
    await talk.keep(ref, body.token.encode())
    exchange.state = {**talk.state, "out": ref, "base_url": version.base_url, "version": "2.0", "problem": None}
    if exchange.by == "first":
        exchange.state |= {"registered": False, "in": await talk.mint(), "in_before": talk.state.get("in")}
        exchange.owe("register")
    elif exchange.method == "POST" and talk.state.get("ours"):
        await talk.use_up()
        exchange.state |= {"registered": True, "ours": None}
    return Reply()


async def handshake(exchange: Exchange, data: Any) -> Reply:
    """The peer is there: it ends a fallback, says how often it wants our heartbeats, and is acknowledged."""
    body = Handshake.model_validate(data or {})
    wanted = body.required_behaviour.heartbeat_interval if body.required_behaviour else None
    if not exchange.talk.state.get("registered"):
        await exchange.talk.use_up()
    exchange.contact("handshake", promise(exchange.talk.peer, exchange.now))
    exchange.state = {**exchange.talk.state, "registered": True, "heartbeat_s": wanted}
    exchange.owe("handshake_acknowledge")
    return Reply()


async def acknowledged(exchange: Exchange, data: Any) -> Reply:
    """An acknowledgement of a handshake; a flexibility provider sends none to a capacity provider, so only its wish counts."""
    body = Handshake.model_validate(data or {})
    if body.required_behaviour and body.required_behaviour.heartbeat_interval:
        exchange.state = {**exchange.talk.state, "heartbeat_s": body.required_behaviour.heartbeat_interval}
        exchange.then = exchange.talk.beat_now
    return Reply()


async def heartbeat(exchange: Exchange, data: Any) -> Reply:
    """The peer counts as present until `offline_mode_at`."""
    peer = exchange.talk.peer
    offline_at = moment(Heartbeat.model_validate(data).offline_mode_at, peer)
    fresh_until, fault = freshness(offline_at, exchange.now, peer)
    if fault is not None:
        exchange.faults.append(fault)
    exchange.contact("heartbeat", fresh_until)
    return Reply()


async def forecast(exchange: Exchange, data: Any) -> Reply:
    """Limits for a group: the good blocks become a constraint; bad ones are refused beside them."""
    body = Forecast.model_validate(data)
    peer = exchange.talk.peer
    source = peer.groups.get(body.group_id)
    if source is None:
        return _fault(exchange, 404, "group_unknown", _unknown(body.group_id))
    stated, faults = constraint(body, source, exchange.request, peer)
    exchange.faults.extend(faults)
    if stated is not None:
        exchange.facts.append(
            fact(
                stated,
                key=(source, exchange.request, stated.direction, stated.role),
                peer=peer.name,
                site=peer.site,
                now=exchange.now,
                causes=(exchange.evidence,),
                begins=stated.segments[0].begins,
                ends=max(s.ends for s in stated.segments),
            )
        )
    if not faults:
        return Reply()
    used = len(stated.segments) if stated else 0
    return Reply(400, f"{'; '.join(f.detail for f in faults[:5])} ({used} other blocks are used)")


async def adjustment(exchange: Exchange, data: Any) -> Reply:
    """A request to adjust a forecast is kept as evidence: a flexibility provider answers it by other means."""
    body = Forecast.model_validate(data)
    if body.group_id not in exchange.talk.peer.groups:
        return _fault(exchange, 404, "group_unknown", _unknown(body.group_id))
    return Reply()


async def compliance(exchange: Exchange, data: Any) -> Reply:
    """The peer cannot keep a forecast; kept as evidence."""
    ComplianceError.model_validate(data)
    return Reply()


ACTIONS: dict[str, Action] = {
    "register": register,
    "handshake": handshake,
    "handshake_acknowledge": acknowledged,
    "heartbeat": heartbeat,
    "update_group_capacity_forecast": forecast,
    "adjust_group_capacity_forecast": adjustment,
    "group_capacity_compliance_error": compliance,
}
"""What a flexibility provider serves."""
NO_BODY = frozenset({"handshake", "handshake_acknowledge"})
"""Actions that known peers send without a body."""


def _fault(exchange: Exchange, status: int, reason: str, detail: str) -> Reply:
    exchange.faults.append(Fault(reason, detail, ""))
    return Reply(status, detail)


def _unknown(group: str) -> str:
    return f"group {group[:64]!r} is not configured for you; next: check group_id, or have it added to the hub's peer settings"
