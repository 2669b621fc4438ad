"""A frame on its way in: parsed, judged, heard, journalled in one batch with its answer, then answered."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from core.messages import Message
from core.messages.station import StationClockMeasured
from core.ports import NotStored
from protocols.common.json_text import without_nulls
from protocols.ocpp import rpc
from protocols.ocpp.connection import Arrived, Connection
from protocols.ocpp.dialect import Doubt, Heard, Hearing, Said
from protocols.ocpp.drift import Drift
from protocols.ocpp.facts import place
from protocols.ocpp.records import MAX_FACTS
from protocols.ocpp.station import Station

log = logging.getLogger(__name__)

SEEN_EVERY = timedelta(minutes=1)


class Inbound:
    """Hears the frames of one connection, one after the other."""

    def __init__(self, station: Station, connection: Connection) -> None:
        self.station = station
        self.connection = connection
        self.ports = station.ports
        self.drift = Drift()

    async def hear(self, raw: str | bytes) -> None:
        """Handle one frame; never raises: what goes wrong in us is quarantined and answered `InternalError`."""
        self.ports.report("frames_received", {"protocol": "ocpp", "version": self.connection.dialect.subprotocol})
        frame = rpc.parse(raw)
        try:
            await self._dispatch(frame, raw)
        except NotStored as error:
            self._count("frames_not_stored")
            self.drift = Drift()  # what it said last may not be in the journal
            self.station.tell("a frame could not be stored and is not answered", str(error))
        except Exception:
            log.exception("station %s: a frame could not be handled; it is quarantined", self.station.id)
            await self._failed(frame, raw)

    async def _dispatch(self, frame: rpc.Frame, raw: str | bytes) -> None:
        self.station.heard_from(self.connection)
        if isinstance(frame, rpc.Unreadable):
            await self._unreadable(frame, raw)
        elif isinstance(frame, rpc.Call):
            await self._call(frame, str(raw))
        else:
            self._answer(Arrived(frame, str(raw)))

    def _answer(self, arrived: Arrived) -> None:
        matched = self.connection.arrive(arrived)
        if isinstance(matched, str):
            self.station.late(matched, arrived)
        elif not matched:
            self._count("answers_unmatched")

    async def _unreadable(self, frame: rpc.Unreadable, raw: str | bytes) -> None:
        dialect = self.connection.dialect
        quiet = frame.fault != "FormatViolation" and not dialect.answers_unreadable
        answer = None
        if frame.answerable and not quiet:
            answer = rpc.error("-1" if frame.id is None else frame.id, dialect.code(frame.fault), frame.why)
        else:
            self._count("frames_unanswered")
        await self._settle(raw, "", (), (Doubt("frame_unreadable", frame.why, ""),), answer)

    async def _call(self, call: rpc.Call, raw: str) -> None:
        if call.action == "Heartbeat" and await self._heartbeat(call):
            return
        known = self.connection.remembered(call.id, raw)
        if known is not None:
            self._count("frames_repeated")
            await self._settle(raw, call.action, (), (), known)
            return
        heard, answer = self._judge(call)
        await self._settle(raw, call.action, (*heard.facts, *self._clock(call)), heard.doubts, answer)
        self.connection.remember(call.id, raw, answer)
        if heard.mismatch:
            self.station.speaks(heard.mismatch)
            await self.connection.close(1002, f"this station speaks {heard.mismatch}")
        self.station.contact(self.connection, booted=call.action == "BootNotification" and heard.error is None)

    def _clock(self, call: rpc.Call) -> tuple[Said, ...]:
        """By how much the station's clock is off, where this frame makes it known; a status may tell of long ago."""
        if call.action == "StatusNotification" or call.action not in self.connection.dialect.evidence:
            return ()
        now = self.ports.clock.now()
        skew_s = self.drift.hear(call.payload, now)
        if skew_s is None:
            return ()
        body = StationClockMeasured(skew_s=skew_s)
        return (Said(body, now, place(self.station.known, None), self._hearing(call).call),)

    def _judge(self, call: rpc.Call) -> tuple[Heard, str]:
        """What the call comes to, and the answer's text."""
        heard = self._heard(call)
        dialect = self.connection.dialect
        if heard.error is not None:
            fault, text = heard.error
            self._count("calls_refused")
            aside = Doubt("call_refused", f"{call.action[:60]}: {text}", call.payload)
            return Heard(doubts=(aside,), error=heard.error, mismatch=heard.mismatch), rpc.error(
                call.id, dialect.code(fault), text
            )
        flaw = dialect.answer_flaw(call.action, heard.answer)
        if flaw is not None:
            raise AssertionError(f"our own answer to {call.action} breaks its schema: {flaw.text}")
        return heard, rpc.result(call.id, heard.answer)

    def _heard(self, call: rpc.Call) -> Heard:
        dialect = self.connection.dialect
        if not dialect.knows(call.action):
            return Heard(error=("NotImplemented", f"{call.action[:60]} is not served here"))
        payload: dict[str, Any] = without_nulls(call.payload)
        flaw = dialect.flaw(call.action, payload)
        evidence = call.action in dialect.evidence
        if flaw is not None and flaw.fatal and not evidence:
            heard = (
                dialect.hear(call.action, payload, self._hearing(call))
                if call.action == "BootNotification"
                else Heard()
            )
            return Heard(error=(flaw.code, flaw.text), mismatch=heard.mismatch)
        heard = dialect.hear(call.action, payload, self._hearing(call))
        if flaw is not None:
            self._count("frames_deviating")
        if flaw is not None and evidence and not heard.doubts:
            return Heard(heard.answer, heard.facts, (Doubt("schema_violated", flaw.text, payload),))
        return heard

    def _hearing(self, call: rpc.Call) -> Hearing:
        station, ports = self.station, self.ports
        return Hearing(
            station=station.known,
            now=ports.clock.now(),
            authorise=lambda token: ports.directory.token(station.known.site, token),
            open=station.memory.open,
            states=station.memory.states,
            heartbeat_s=station.heartbeat_s,
            meter_interval_s=station.meter_interval_s,
            call=(ports.gateway, ports.epoch, self.connection.records.connection, call.id),
            quirks=station.quirks,
            known=station.memory.known,
        )

    async def _heartbeat(self, call: rpc.Call) -> bool:
        """A sign of life leaves no frames, only `station.seen`, at most once a minute; False where it is malformed."""
        heard = self._heard(call)
        if heard.error is not None:
            return False
        seen = self.station.sign_of_life(self.connection, SEEN_EVERY)
        if seen is not None:
            await self.ports.journal.append(self.station.known.site, [seen])
        await self.connection.send(rpc.result(call.id, heard.answer))
        self.station.contact(self.connection, booted=False)
        return True

    async def _settle(
        self, raw: str | bytes, subject: str, facts: tuple[Any, ...], doubts: tuple[Doubt, ...], answer: str | None
    ) -> None:
        """One request, one record: evidence, facts, what was set aside, the answer; then the answer goes out."""
        now, records = self.ports.clock.now(), self.connection.records
        received = records.received(raw, subject, now)
        if len(facts) > MAX_FACTS:
            doubts = (
                *doubts,
                Doubt("too_many_values", f"{len(facts) - MAX_FACTS} values beyond {MAX_FACTS} were set aside"),
            )
        told = [records.fact(said, received) for said in facts[:MAX_FACTS]]
        batch: list[Message] = [received, *told, *records.quarantined(doubts, received)]
        seen = self.station.sign_of_life(self.connection, timedelta(seconds=self.station.heartbeat_s))
        if seen is not None:
            batch.append(seen.model_copy(update={"causes": (received.id,)}))
        if answer is not None:
            batch.append(records.sent(answer, subject, now, (received.id,)))
        await self.ports.journal.append(self.station.known.site, batch)
        if doubts:
            what = f"{doubts[0].reason}, {doubts[0].detail[:200]}"
            next_step = f"next: `busbar trace {self.station.id}`"
            self.station.tell("part of a frame was set aside", f"{what}; {next_step}", doubts[0].reason)
        self.station.learn(told)
        if answer is not None:
            await self.connection.send(answer)

    async def _failed(self, frame: rpc.Frame, raw: str | bytes) -> None:
        """The boundary's own answer: kept, counted, `InternalError`."""
        answer = None
        if isinstance(frame, rpc.Call):
            code = self.connection.dialect.code("InternalError")
            answer = rpc.error(frame.id, code, "this request could not be handled; it is kept for a look")
        try:
            await self._settle(raw, "", (), (Doubt("internal_error", "we could not handle this frame", ""),), answer)
        except NotStored:
            self._count("frames_not_stored")

    def _count(self, name: str) -> None:
        self.ports.report(name, {"protocol": "ocpp", "version": self.connection.dialect.subprotocol})
