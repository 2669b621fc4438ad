"""Our OSCP 2.0 endpoints: who asks, one batch of evidence and facts, and the answer after it is durable."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

from pydantic import ValidationError

from core.messages import Message, identify
from core.messages.base import canonical
from core.ports import HUB, HttpRequest, HttpResponse, NotStored, Ports
from protocols.common.json_text import NotJson, read_json
from protocols.oscp.actions import ACTIONS, NO_BODY, Exchange, Reply
from protocols.oscp.conversation import Conversation
from protocols.oscp.evidence import PROTOCOL, Evidence
from protocols.oscp.segments import BadSegment
from protocols.oscp.translate import Fault, Unreadable, explain
from protocols.oscp.wire import SPELLINGS

_log = logging.getLogger("busbar.oscp")
REMEMBERED = 512
REPEATS = timedelta(minutes=10)
"""So long and so many answers are remembered, so that a repeated request gets the same one and states nothing anew."""
STRANGERS = timedelta(minutes=1)
"""At most one piece of evidence about strangers in so long; all are counted."""

TELL_EVERY = timedelta(minutes=1)
"""At most one line of a kind about a peer in the log in so long."""

By = Literal["first", "in"]


class Server:
    """Answers the peers' requests; shares each peer's `Conversation` with the task that talks to it."""

    def __init__(self, talks: Mapping[str, Conversation], ports: Ports, evidence: Evidence) -> None:
        self._talks = talks
        self._ports = ports
        self._evidence = evidence
        self._answers: OrderedDict[tuple[str, str, str, str], tuple[datetime, Reply]] = OrderedDict()
        self._strangers_at: datetime | None = None
        self._told: dict[str, datetime] = {}
        self._background: set[asyncio.Task[None]] = set()

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """One request; whatever happens, the peer gets an answer in OSCP's form."""
        action = SPELLINGS.get(request.params.get("action", ""), request.params.get("action", ""))
        self._ports.report("frames_received", {"protocol": PROTOCOL, "version": "2.0"})
        known = self._who(request, action)
        if known is None:
            return self._stranger(request, action)
        talk, by = known
        try:
            async with talk.lock:
                return await self._serve(talk, by, action, request)
        except NotStored:
            return _response(Reply(503, "nothing can be stored at the moment; next: send the same request again later"))
        except Exception:  # noqa: BLE001 because: the adapter's boundary, one bad request must not stop the others
            _log.exception("oscp:%s: %s failed", talk.peer.name, action)
            return _response(Reply(500, "the request could not be processed; next: tell the hub's operator"))

    async def stop(self) -> None:
        """Wait for what is still being written about strangers."""
        await asyncio.gather(*self._background, return_exceptions=True)

    # -- who asks --------------------------------------------------------------------------------------------------

    def _who(self, request: HttpRequest, action: str) -> tuple[Conversation, By] | None:
        """The peer whose token this is; token A is good for beginning a registration only."""
        scheme, _, presented = request.headers.get("authorization", "").partition(" ")
        token = presented.strip().encode("utf-8", "surrogateescape")
        if scheme.lower() not in {"token", "bearer"} or not token:
            return None
        found: tuple[Conversation, By] | None = None
        for talk in self._talks.values():
            if _same(token, talk.token("in")) or _same(token, talk.token("in_before")):
                found = found or (talk, "in")
            elif (action, request.method, talk.peer.start) == ("register", "POST", "peer"):
                found = found or ((talk, "first") if _same(token, talk.first_token()) else None)
        return found

    def _stranger(self, request: HttpRequest, action: str) -> HttpResponse:
        """401 at once; evidence at most once a minute, so that a stranger cannot fill the journal."""
        self._ports.report("connections_refused", {"protocol": PROTOCOL, "reason": "token_wrong"})
        item = {"request": f"{request.method} {action[:64]}", "bytes": len(request.body), "reason": "token_wrong"}
        self._ports.stranger(PROTOCOL, request.peer, item)
        detail = (
            f"{request.method} {action[:64]} from {request.peer}: the token is not one of ours or was already used; "
            "next: compare token A on both sides, or give out a new one and register again"
        )
        now = self._ports.clock.now()
        if self._strangers_at is None or now - self._strangers_at >= STRANGERS:
            self._strangers_at = now
            _log.warning("oscp: %s", detail)
            message = self._evidence.quarantined("unknown", HUB, Fault("token_wrong", detail, ""))
            task = asyncio.create_task(self._keep(message))
            self._background.add(task)
            task.add_done_callback(self._background.discard)
        return _response(Reply(401, "the token is not valid; next: check it, or ask for a new one and register again"))

    async def _keep(self, message: Message) -> None:
        try:
            await self._ports.journal.append(HUB, [message])
        except NotStored:
            _log.warning("oscp: evidence of a wrong token could not be stored")

    # -- one request -----------------------------------------------------------------------------------------------

    async def _serve(self, talk: Conversation, by: By, action: str, request: HttpRequest) -> HttpResponse:
        site, start = talk.peer.site, f"{request.method} {request.path}"[:1024]
        tokens = action == "register"
        frame = self._evidence.frame(site, start, request.headers, request.body, tokens=tokens)
        received = self._evidence.received(talk.peer.name, site, f"{request.method} {action}"[:200], frame)
        try:
            whole = talk.segments.add(action, request.headers, request.body, self._ports.clock.now())
        except BadSegment as error:
            exchange = self._exchange(talk, by, request, request.headers.get("x-request-id", ""), b"", received)
            exchange.faults.append(Fault("segment_invalid", str(error), ""))
            return await self._conclude(exchange, action, received, Reply(400, str(error)))
        if whole is None:
            exchange = self._exchange(talk, by, request, request.headers.get("x-request-id", ""), b"", received)
            return await self._conclude(exchange, action, received, Reply())
        exchange = self._exchange(talk, by, request, *whole, received)
        repeat = (talk.peer.name, action, request.method, exchange.request)
        if exchange.correlate and (known := self._answers.get(repeat)) and exchange.now - known[0] < REPEATS:
            return await self._conclude(exchange, action, received, known[1])
        reply = await _act(exchange, action, whole[1])
        response = await self._conclude(exchange, action, received, reply)
        if exchange.correlate:
            self._answers[repeat] = (exchange.now, reply)
            self._answers.move_to_end(repeat)
            if len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)
        return response

    def _exchange(
        self, talk: Conversation, by: By, request: HttpRequest, id: str, body: bytes, received: Message
    ) -> Exchange:
        """The request's key adds its content: some peers send the same id with everything."""
        now = self._ports.clock.now()
        id = id[:128]
        key = f"{id}#{identify(body.hex())[:8]}" if id else identify(now, received.id, body.hex())
        return Exchange(talk, request.method, key, id or None, by, now, received.id)

    async def _conclude(self, exchange: Exchange, action: str, received: Message, reply: Reply) -> HttpResponse:
        """Everything of this request in one batch: evidence, facts, what was set aside, state, our answer."""
        talk, response = exchange.talk, _response(reply)
        where, causes = (talk.peer.name, talk.peer.site), (received.id,)
        batch = [received, *exchange.facts]
        batch += [self._evidence.quarantined(*where, fault, causes) for fault in exchange.faults]
        state = None if exchange.state is None else {k: v for k, v in exchange.state.items() if v is not None}
        if state is not None and state != talk.state:
            batch.append(talk.changed(state, causes))
        frame = self._evidence.frame(talk.peer.site, f"HTTP {response.status}", {}, response.body)
        batch.append(self._evidence.sent(*where, f"answer to {action}"[:200], frame, causes))
        await self._ports.journal.append(talk.peer.site, batch)
        self._after(exchange, state, reply)
        return response

    def _after(self, exchange: Exchange, state: dict[str, Any] | None, reply: Reply) -> None:
        talk = exchange.talk
        talk.last_contact = exchange.now
        talk.fresh_until = exchange.fresh_until or talk.fresh_until
        if state is not None:
            talk.take(state)
        for step in exchange.owes:
            talk.then(partial(talk.say, step))
        if exchange.then is not None:
            exchange.then()
        if reply.status >= 400:
            reason = exchange.faults[0].reason if exchange.faults else "message_invalid"
            self._ports.report("frames_refused", {"protocol": PROTOCOL, "reason": reason})
        if exchange.faults:
            self._tell(talk.peer.name, exchange.faults[0], exchange.now)

    def _tell(self, peer: str, fault: Fault, now: datetime) -> None:
        """A line in the log about something that was set aside, at most once a minute for a peer and reason."""
        key = f"{peer} {fault.reason}"
        if key in self._told and now - self._told[key] < TELL_EVERY:
            return
        self._told[key] = now
        _log.warning("oscp:%s: set aside: %s, %s", peer, fault.reason, fault.detail[:300])


async def _act(exchange: Exchange, action: str, body: bytes) -> Reply:
    """Read the body and do what the action means; what cannot be used is set aside with its reason."""
    act = ACTIONS.get(action)
    if act is None:
        return _refuse(
            exchange, 404, "action_unknown", f"{action[:64]!r} is not served here; next: check the path", body
        )
    if exchange.method != "POST" and action != "register":
        return _refuse(exchange, 405, "action_unknown", f"{action} takes POST only; next: send it with POST", body)
    try:
        empty_ok = action in NO_BODY or exchange.method == "DELETE"
        data = None if empty_ok and not body.strip() else read_json(body.decode("utf-8"))
        return await act(exchange, data)
    except (NotJson, UnicodeDecodeError):
        return _refuse(
            exchange, 400, "not_json", "the body is not JSON in UTF-8; next: correct it and send again", body
        )
    except ValidationError as error:
        talk = exchange.talk
        shown = action != "register" or bool(talk.evidence.closed(talk.peer.site, body.decode("utf-8")).secrets)
        return _refuse(exchange, 400, "message_invalid", explain(error), body if shown else b"")
    except Unreadable as error:
        return _refuse(exchange, 400, "message_invalid", str(error), body)


def _refuse(exchange: Exchange, status: int, reason: str, detail: str, body: bytes) -> Reply:
    """Set the whole message aside. A body that is no JSON is left out: a token in it could not be found."""
    try:
        item = canonical(read_json(body.decode("utf-8")))
    except (NotJson, UnicodeDecodeError, ValueError):
        item = ""
    exchange.faults.append(Fault(reason, detail, item))
    return Reply(status, detail)


def _response(reply: Reply) -> HttpResponse:
    """204 with nothing in it, or `{"message": ...}`."""
    if reply.status == 204:
        return HttpResponse(204)
    return HttpResponse(reply.status, canonical({"message": reply.message}).encode())


def _same(presented: bytes, known: bytes | None) -> bool:
    return bool(known) and hmac.compare_digest(presented, known or b"")
