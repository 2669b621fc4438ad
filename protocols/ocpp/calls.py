"""One call to a station from the journal to its outcome: each step is an event in the same record as its frame."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from core.messages import Body, Message, Physical
from core.messages.command import (
    CommandAccepted,
    CommandConfirmed,
    CommandMismatched,
    CommandRejected,
    CommandSent,
    CommandUnanswered,
    Installed,
)
from core.ports import KnownStation, NotStored, Ports
from protocols.ocpp import rpc
from protocols.ocpp.connection import Arrived, Connection, Lost
from protocols.ocpp.dialect import Excess, Phrase
from protocols.ocpp.jobs import Check, Key, Send
from protocols.ocpp.reconcile import Reconciler

log = logging.getLogger(__name__)

Purpose = Literal["max", "default", "transaction", "clear", "start", "stop"]
Outcome = Literal["accepted", "rejected", "not_supported", "unanswered"]
KEPT_CALLS = 16
"""Calls without an answer that a late one is still matched with."""


@dataclass(frozen=True, slots=True)
class Command:
    """What a call is in neutral words; None stands for a call that is only evidence (trigger, configuration)."""

    wish: str
    purpose: Purpose
    evse: int = 0
    installed: tuple[Installed, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """How a call ended, in the station's own word where it has one."""

    outcome: Outcome
    word: str = ""
    payload: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A step of a command to be written in the same record as the answer's frame."""

    body: Body
    evse: int
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A call of ours that went out, and what it was for."""

    connection: Connection
    call: str
    action: str
    command: Command | None
    job: Send | Check | None
    sent: str
    """Id of its `command.sent`; of its frame where it is no command."""


class Caller:
    """Makes the calls of one station, one at a time, and writes what became of them."""

    def __init__(self, ports: Ports, known: KnownStation, wishes: Reconciler, timeout_s: float) -> None:
        self.ports = ports
        self.known = known
        self.wishes = wishes
        self._timeout = timedelta(seconds=timeout_s)
        self._overdue: OrderedDict[str, tuple[Key | None, Command, str]] = OrderedDict()

    async def exchange(
        self, connection: Connection, phrase: Phrase, command: Command | None, job: Send | Check | None
    ) -> Reply:
        """Journal the call, send it, journal its answer with what it means."""
        action, payload = phrase
        flaw = connection.dialect.flaw(action, payload)
        if flaw is not None:
            return self._unsayable(action, flaw.text, job)
        call, now = connection.next_call(), self.ports.clock.now()
        text = rpc.call(call, action, payload)
        causes = (command.wish,) if command is not None and command.wish else ()
        frame = connection.records.sent(text, action, now, causes)
        sent = self._step(connection, CommandSent, command, call, (*causes, frame.id)) if command else None
        await self.ports.journal.append(self.known.site, [frame, *([sent] if sent else [])])
        if isinstance(job, Send):
            self.wishes.sent(job, call).sent = sent.id if sent else ""
        asked = _Asked(connection, call, action, command, job, sent.id if sent else frame.id)
        try:
            until = self.ports.clock.now() + self._timeout
            arrived = await connection.call(call, text, until, f"ocpp:{self.known.id}")
        except TimeoutError:
            return await self._unanswered(asked, "call_timeout")
        except Lost:
            return await self._unanswered(asked, "connection_lost")
        return await self._answered(asked, arrived)

    def _unsayable(self, action: str, why: str, job: Send | Check | None) -> Reply:
        """A call that would break its schema is our defect and never goes out; the ladder goes on without it."""
        log.error("station %s: our own %s breaks its schema and is not sent: %s", self.known.id, action, why)
        self.ports.report("adapter_failures", {"protocol": "ocpp"})
        if isinstance(job, Send):
            self.wishes.sent(job, "")
            self.wishes.answered(job.key, "", "not_supported", self.ports.clock.now())
        if isinstance(job, Check):
            self.wishes.composite_works = False
        return Reply("not_supported", "schema_violated")

    def _step(
        self,
        connection: Connection,
        kind: type[CommandSent | CommandAccepted | CommandRejected | CommandUnanswered],
        command: Command,
        call: str,
        causes: Iterable[str],
        reason: str = "",
    ) -> Message:
        body = kind(wish=command.wish, call=call, purpose=command.purpose, installed=command.installed, reason=reason)
        return connection.records.own(body, (call,), self.ports.clock.now(), at=self._at(command.evse), causes=causes)

    def _outcome(
        self, connection: Connection, command: Command, call: str, causes: Iterable[str], reply: Reply
    ) -> Message:
        kind = CommandAccepted if reply.outcome == "accepted" else CommandRejected
        return self._step(connection, kind, command, call, causes, reply.word)

    def _at(self, evse: int) -> Physical:
        return Physical(station=self.known.id, evse=evse or None)

    async def _unanswered(self, asked: _Asked, reason: str) -> Reply:
        job, command = asked.job, asked.command
        self.ports.report("calls_unanswered", {"protocol": "ocpp", "reason": reason})
        if isinstance(job, Send):
            self.wishes.answered(job.key, asked.call, "unanswered", self.ports.clock.now())
        if isinstance(job, Check):
            self.wishes.composite_works = False
        if command is None:
            return Reply("unanswered", reason)
        self._overdue[asked.call] = (job.key if isinstance(job, Send) else None, command, asked.sent)
        if len(self._overdue) > KEPT_CALLS:
            self._overdue.popitem(last=False)
        step = self._step(asked.connection, CommandUnanswered, command, asked.call, (asked.sent,), reason)
        await self.ports.journal.append(self.known.site, [step])
        return Reply("unanswered", reason)

    async def _answered(self, asked: _Asked, arrived: Arrived) -> Reply:
        connection, job, now = asked.connection, asked.job, self.ports.clock.now()
        evidence = connection.records.received(arrived.raw, asked.action, now)
        reply = _read(connection, asked.action, arrived)
        batch = [evidence]
        if asked.command is not None:
            batch.append(self._outcome(connection, asked.command, asked.call, (asked.sent, evidence.id), reply))
        if isinstance(job, Send) and reply.outcome in ("accepted", "rejected", "not_supported"):
            self.wishes.answered(job.key, asked.call, reply.outcome, now)
            if (slot := self.wishes.slots.get(job.key)) is not None:
                slot.fact = batch[-1].id
        if isinstance(job, Check):
            batch.extend(self._message(connection, told, evidence.id) for told in self._judge(connection, job, reply))
        try:
            await self.ports.journal.append(self.known.site, batch)
        except NotStored:
            self.wishes.forget([job.key] if isinstance(job, Send) else job.keys if isinstance(job, Check) else [])
            raise
        return reply

    def _judge(self, connection: Connection, check: Check, reply: Reply) -> list[Told]:
        """What a composite schedule says about the places that show in it."""
        if reply.outcome != "accepted" or reply.payload is None:
            self.wishes.composite_works = False
            return []
        now = self.ports.clock.now()
        read = connection.dialect.read_composite(reply.payload, now)
        if read is None:
            self.wishes.composite_works = False
            return []
        excess = self.wishes.compare(check, read, now)
        shown = self.wishes.shown(check, read)
        if excess:  # the top profile is the one that is not obeyed
            shown = (shown or [key for key in check.keys if key in self.wishes.slots])[:1]
        return [self.settle_slot(key, excess) for key in shown]

    def settle_slot(self, key: Key, excess: Excess | None) -> Told:
        """A place was read back or measured: confirmed, or mismatched for that reason."""
        slot = self.wishes.slots[key]
        self.wishes.settled(key, confirmed=not excess)
        step: dict[str, Any] = {
            "wish": slot.wish,
            "call": slot.call,
            "purpose": slot.target.purpose,
            "installed": (slot.profile.installed,),
        }
        body: Body = CommandConfirmed(**step)
        if excess is not None:
            numbers = {"shown_kw": excess.shown_kw, "allowed_kw": excess.allowed_kw}
            body = CommandMismatched(**step, **numbers, reason=excess.why)
        return Told(body, key[0], tuple(c for c in (slot.fact, slot.wish) if c))

    async def tell(self, connection: Connection, told: list[Told]) -> None:
        """Journal steps that no frame belongs to."""
        batch = [self._message(connection, item, "") for item in told]
        await self.ports.journal.append(self.known.site, batch)

    def _message(self, connection: Connection, told: Told, evidence: str) -> Message:
        now = self.ports.clock.now()
        key = (told.body.wish, told.body.call, told.body.purpose)  # type: ignore[attr-defined]  # because: a command's step
        return connection.records.own(told.body, key, now, at=self._at(told.evse), causes=(*told.causes, evidence))

    async def settle_late(self, connection: Connection | None, call: str, arrived: Arrived) -> None:
        """A late answer to a command: it updates the step's outcome."""
        key, command, sent = self._overdue.pop(call, (None, None, ""))
        if command is None or connection is None:
            return
        action = "ClearChargingProfile" if command.purpose == "clear" else "SetChargingProfile"
        evidence = connection.records.received(arrived.raw, action, self.ports.clock.now())
        reply = _read(connection, action, arrived)
        step = self._outcome(connection, command, call, (sent, evidence.id), reply)
        await self.ports.journal.append(self.known.site, [evidence, step])
        if key is not None and reply.outcome in ("accepted", "rejected", "not_supported"):
            self.wishes.answered(key, call, reply.outcome, self.ports.clock.now())


def _read(connection: Connection, action: str, arrived: Arrived) -> Reply:
    frame = arrived.frame
    if isinstance(frame, rpc.Error):
        refused = frame.code in ("NotImplemented", "NotSupported")
        return Reply("not_supported" if refused else "rejected", frame.code[:40])
    verdict, word = connection.dialect.verdict(action, frame.payload)
    return Reply(verdict, word, frame.payload)
