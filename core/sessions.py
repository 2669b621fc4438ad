"""Plug-ins, transactions and meter evidence become one session, whatever the protocol version."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from immutables import Map

from core.access import normal
from core.messages import Message
from core.messages.commercial import RecordPriced
from core.messages.session import SessionEnded, SessionMetered, SessionStarted, SessionUpdated, session_id
from core.messages.station import ChargingState, ConnectorStatusChanged
from core.messages.vehicle import VehicleIdentified

KEEP = timedelta(days=2)
"""How long an ended session stays in the folded state, from when its end was heard of: its record may have to wait."""


@dataclass(frozen=True, slots=True)
class MeterPoint:
    """The import register at a moment; `message` is the evidence."""

    time: datetime
    energy_wh: float
    message: str


@dataclass(frozen=True, slots=True)
class Session:
    """One transaction at one EVSE. Meter points are kept where the register or the tariff needs them, in time order."""

    id: str
    station: str
    evse: int | None
    transaction: str
    started: datetime
    started_by: str
    """Id of the message that opened it."""
    begin_wh: float | None = None
    token: str | None = None
    vehicle: str | None = None
    """As identified when last known; set by `vehicle.identified`."""
    ended: datetime | None = None
    ended_by: str | None = None
    end_wh: float | None = None
    points: tuple[MeterPoint, ...] = ()
    adopted: bool = False
    """Opened by meter values because its start never came."""
    told: datetime | None = None
    """When its end was heard of: what a station kept while it was offline comes long after it happened."""
    contested: bool = False
    """Evidence disagreed which vehicle it was."""
    cut: bool = False
    """It is over because the next one began at its EVSE; its own end may still be told."""


@dataclass(frozen=True, slots=True)
class Plug:
    """What is known about one EVSE now: plugged or not, the running transaction, the freshest readings at the plug."""

    station: str
    evse: int
    plugged: bool = False
    since: datetime | None = None
    """When this plug-in began."""
    began: str = ""
    """Id of the message that began it: the plug-in's identity."""
    connector: int | None = None
    """The connector that is occupied, where a status named it."""
    transaction: str | None = None
    session: str | None = None
    ended: datetime | None = None
    """When the last transaction of this plug-in ended; None while one runs, or before the first."""
    token: str | None = None
    charging_state: ChargingState | None = None
    status: str = "unknown"
    error: str = ""
    status_by: str = ""
    power_kw: float | None = None
    power_at: datetime | None = None
    power_by: str = ""
    soc: float | None = None
    soc_at: datetime | None = None
    soc_by: str = ""
    """Id of the message with that SoC."""
    vehicle: str | None = None
    """As identified for this plug-in."""
    contested: bool = False
    """Evidence disagrees which vehicle stands there."""
    identified_by: str = ""
    last_vehicle: str | None = None


@dataclass(frozen=True, slots=True)
class Left:
    """The end of a vehicle's last plug-in: where, when, and by which message."""

    station: str
    evse: int
    at: datetime
    by: str
    soc: float | None = None
    """The last state of charge that the charger measured in that plug-in."""
    soc_at: datetime | None = None
    soc_by: str = ""
    ended: datetime | None = None
    """When its last transaction ended; None where one ran until the plug was out."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """All plugs by (station, EVSE), all sessions by id, and where each vehicle was unplugged last."""

    plugs: Map[tuple[str, int], Plug] = Map()
    sessions: Map[str, Session] = Map()
    left: Map[str, Left] = Map()


def fold(state: Sessions, message: Message) -> Sessions:
    """The sessions after one more fact; facts of other concepts, and repeats, change nothing."""
    step = _STEPS.get(message.type)
    return state if step is None else step(state, message, message.body)


def running(state: Sessions, station: str, evse: int | None) -> Session | None:
    """The session that runs at an EVSE; without an EVSE, the only one that runs at the station."""
    if evse is not None:
        plug = state.plugs.get((station, evse))
        return None if plug is None or plug.session is None else state.sessions.get(plug.session)
    found = [p.session for p in state.plugs.values() if p.station == station and p.session is not None]
    return state.sessions.get(found[0]) if len(found) == 1 else None


def of_other_connector(state: Sessions, message: Message) -> bool:
    """Whether a status is of the connector beside the one in use: only one works at a time, its cable is not this vehicle's."""
    plug = state.plugs.get((message.at.station or "", message.at.evse or 0))
    if plug is None or not plug.plugged or None in (plug.connector, message.at.connector):
        return False
    return plug.connector != message.at.connector


def energy_wh(session: Session) -> float | None:
    """Energy taken so far, in Wh; None where the begin register or any later one is missing."""
    last = session.end_wh if session.end_wh is not None else (session.points[-1].energy_wh if session.points else None)
    return None if last is None or session.begin_wh is None else last - session.begin_wh


def _plug(state: Sessions, station: str, evse: int) -> Plug:
    return state.plugs.get((station, evse)) or Plug(station, evse)


def _with_plug(state: Sessions, plug: Plug) -> Sessions:
    return replace(state, plugs=state.plugs.set((plug.station, plug.evse), plug))


def _with_session(state: Sessions, session: Session) -> Sessions:
    return replace(state, sessions=state.sessions.set(session.id, session))


def _plugged(plug: Plug, message: Message) -> Plug:
    """The plug-in has begun, if it had not."""
    if plug.plugged:
        return plug
    return Plug(
        plug.station,
        plug.evse,
        plugged=True,
        since=message.time,
        began=message.id,
        status="occupied",
        status_by=message.id,
        last_vehicle=plug.last_vehicle,
    )


def _status(state: Sessions, message: Message, body: ConnectorStatusChanged) -> Sessions:
    station, evse = message.at.station, message.at.evse
    if station is None or evse is None:
        return state
    if of_other_connector(state, message):
        return state
    plug = _plug(state, station, evse)
    if body.status == "available":
        state = _unplugged(state, plug, message)
        plug = Plug(station, evse, status="available", status_by=message.id, last_vehicle=plug.last_vehicle)
    elif body.status == "occupied":
        plug = _plugged(plug, message)
    plug = replace(
        plug,
        status=body.status,
        error=body.error,
        status_by=message.id,
        connector=message.at.connector if body.status == "occupied" else plug.connector,
        charging_state=body.charging_state or plug.charging_state,
    )
    return _with_plug(state, plug)


def _unplugged(state: Sessions, plug: Plug, message: Message) -> Sessions:
    if plug.vehicle is None:
        return state
    soc = (plug.soc, plug.soc_at, plug.soc_by)
    left = Left(plug.station, plug.evse, message.time, message.id, *soc, plug.ended)
    return replace(state, left=state.left.set(plug.vehicle, left))


def _started(state: Sessions, message: Message, body: SessionStarted) -> Sessions:
    station = message.at.station
    if station is None:
        return state
    identity = session_id(station, body.transaction)
    known = state.sessions.get(identity)
    if known is not None and not known.adopted:
        return state
    if known is None:
        session = Session(identity, station, message.at.evse, body.transaction, message.time, message.id)
    else:
        session = replace(known, started=message.time, started_by=message.id, adopted=False)
        session = replace(session, evse=session.evse if session.evse is not None else message.at.evse)
    session = replace(session, begin_wh=body.meter_wh, token=body.token or session.token)
    state = _forget_old(_with_session(state, session), message.time)
    return _run(state, session, message, body.charging_state)


def _run(state: Sessions, session: Session, message: Message, charging: ChargingState | None) -> Sessions:
    """The session occupies its EVSE, unless it is over already (its end came first) or its EVSE is not known.

    One session runs at an EVSE: the one that began last. The end of the one before was lost, or has still to come.
    """
    if session.ended is not None or session.evse is None:
        return state
    plug = _plugged(_plug(state, session.station, session.evse), message)
    other = state.sessions.get(plug.session or "")
    if other is not None and other.id != session.id and other.ended is None:
        if other.started > session.started:
            return state
        state = _with_session(state, replace(_over(other, message, None), cut=True))
    if session.vehicle is None and _of_one_card(session, plug):
        session = replace(session, vehicle=plug.vehicle, contested=plug.contested)
        state = _with_session(state, session)
    return _with_plug(
        state,
        replace(
            plug,
            transaction=session.transaction,
            session=session.id,
            ended=None,
            token=session.token or plug.token,
            charging_state=charging or plug.charging_state,
        ),
    )


def _of_one_card(session: Session, plug: Plug) -> bool:
    """Whether nothing says that another vehicle stands there now: then what is known of the plug-in holds for its next session."""
    return None in (session.token, plug.token) or normal(str(session.token)) == normal(str(plug.token))


def _adopt(state: Sessions, message: Message, transaction: str) -> tuple[Sessions, Session | None]:
    """The session of a transaction; one whose start never came (or has still to come) is opened by its first evidence."""
    station = message.at.station
    if station is None:
        return state, None
    identity = session_id(station, transaction)
    known = state.sessions.get(identity)
    if known is not None:
        return state, known
    session = Session(identity, station, message.at.evse, transaction, message.time, message.id, adopted=True)
    state = _with_session(state, session)
    if message.type == SessionEnded.TYPE:
        return state, session
    return _run(state, session, message, None), session


def _updated(state: Sessions, message: Message, body: SessionUpdated) -> Sessions:
    state, session = _adopt(state, message, body.transaction)
    if session is None:
        return state
    if body.token and session.token is None:
        session = replace(session, token=body.token)
        state = _with_session(state, session)
    return _run(state, session, message, body.charging_state)


def _metered(state: Sessions, message: Message, body: SessionMetered) -> Sessions:
    station = message.at.station
    if station is None:
        return state
    if body.transaction is None:
        session = running(state, station, message.at.evse)
        if session is not None and message.time < session.started:
            session = None
    else:
        state, session = _adopt(state, message, body.transaction)
    evse = message.at.evse if message.at.evse is not None else (session.evse if session else None)
    if session is not None and body.energy_wh is not None:
        state = _with_session(state, _measured(session, MeterPoint(message.time, body.energy_wh, message.id)))
    if evse is None or (session is not None and session.ended is not None):
        return state
    return _with_plug(state, _read(_plug(state, station, evse), message, body))


def _measured(session: Session, point: MeterPoint) -> Session:
    """The session with one more register reading, at its place in time; a second reading of a moment is a repeat."""
    index = bisect_left([p.time for p in session.points], point.time) if _late(session, point) else len(session.points)
    if index < len(session.points) and session.points[index].time == point.time:
        return session
    points = (*session.points[:index], point, *session.points[index:])
    return replace(session, points=points)


def _late(session: Session, point: MeterPoint) -> bool:
    return bool(session.points) and point.time <= session.points[-1].time


def _read(plug: Plug, message: Message, body: SessionMetered) -> Plug:
    """The plug with fresher readings; an older sample never replaces a newer one, nor tells of a later plug-in."""
    if plug.since is not None and message.time < plug.since:
        return plug
    if body.power_kw is not None and (plug.power_at is None or message.time > plug.power_at):
        plug = replace(plug, power_kw=body.power_kw, power_at=message.time, power_by=message.id)
    if body.soc is not None and (plug.soc_at is None or message.time > plug.soc_at):
        plug = replace(plug, soc=body.soc, soc_at=message.time, soc_by=message.id)
    return plug


def _ended(state: Sessions, message: Message, body: SessionEnded) -> Sessions:
    state, session = _adopt(state, message, body.transaction)
    if session is None or (session.ended is not None and not session.cut):
        return state
    state = _with_session(state, _over(session, message, body.meter_wh))
    if session.evse is None:
        return state
    plug = _plug(state, session.station, session.evse)
    if plug.session != session.id:
        return state
    idle = replace(plug, transaction=None, session=None, power_kw=0.0, power_at=message.time, power_by=message.id)
    return _with_plug(state, replace(idle, ended=message.time, charging_state="idle"))


def _over(session: Session, message: Message, end_wh: float | None) -> Session:
    return replace(session, ended=message.time, ended_by=message.id, end_wh=end_wh, told=message.recorded, cut=False)


def _identified(state: Sessions, message: Message, body: VehicleIdentified) -> Sessions:
    station, evse = message.at.station, message.at.evse
    if station is None or evse is None:
        return state
    plug, contested = _plug(state, station, evse), body.by == "conflict"
    if plug.session is not None and plug.session in state.sessions:
        session = state.sessions[plug.session]
        state = _with_session(state, replace(session, vehicle=body.vehicle, contested=contested))
    plug = replace(plug, vehicle=body.vehicle, contested=contested, identified_by=message.id)
    return _with_plug(state, replace(plug, last_vehicle=body.vehicle or plug.last_vehicle))


def _priced(state: Sessions, message: Message, body: RecordPriced) -> Sessions:
    session = state.sessions.get(body.session)
    return state if session is None else _with_session(state, replace(session, points=()))


def _forget_old(state: Sessions, now: datetime) -> Sessions:
    old = [
        s.id for s in state.sessions.values() if s.ended is not None and max(s.ended, s.told or s.ended) < now - KEEP
    ]
    sessions = state.sessions
    for identity in old:
        sessions = sessions.delete(identity)
    return replace(state, sessions=sessions) if old else state


_STEPS: Mapping[str, Callable[[Sessions, Message, Any], Sessions]] = {
    ConnectorStatusChanged.TYPE: _status,
    SessionStarted.TYPE: _started,
    SessionUpdated.TYPE: _updated,
    SessionMetered.TYPE: _metered,
    SessionEnded.TYPE: _ended,
    VehicleIdentified.TYPE: _identified,
    RecordPriced.TYPE: _priced,
}
