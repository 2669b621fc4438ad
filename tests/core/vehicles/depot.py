"""Facts at the plug for the tests of vehicles."""

from datetime import timedelta

from core.messages.base import Physical, compose, identify
from core.messages.session import SessionMetered
from core.messages.station import ConnectorStatusChanged
from core.messages.vehicle import VehiclePlaced, VehicleRead
from core.sessions import MeterPoint, Plug, Session, Sessions
from core.vehicles import VehiclesState, decide, fold
from tests.core.requirements.fleet import CONFIG, NOW, scribe

CP1, CP2 = ("CP-1", 1), ("CP-2", 1)


def plug(bay=CP1, token=None, since=NOW, session=None, **more):
    """A plugged-in EVSE."""
    return Plug(*bay, plugged=True, since=since, began=f"plug-{bay[0]}", token=token, session=session, **more)


def sessions(*plugs, running=()):
    """The state of sessions with these plugs."""
    state = Sessions()
    found = state.plugs.update({(p.station, p.evse): p for p in plugs})
    return Sessions(found, state.sessions.update({s.id: s for s in running}))


def session(*points, begin=0.0, bay=CP1, name="s1"):
    """A running session with meter points (minutes after NOW, Wh)."""
    meter = tuple(MeterPoint(NOW + timedelta(minutes=m), wh, f"m{m}") for m, wh in points)
    return Session(name, bay[0], bay[1], "tx", NOW, f"start-{name}", begin_wh=begin, points=meter)


def fact(body, minutes=0, *, source="telematics", **at):
    """One message at so many minutes after NOW."""
    moment = NOW + timedelta(minutes=minutes)
    return compose(
        body, id=identify(body.TYPE, minutes, source, at), time=moment, source=source, site="depot", at=Physical(**at)
    )


def read(vehicle, minutes=0, **fields):
    """A telematics reading."""
    return fact(VehicleRead(**fields), minutes, vehicle=vehicle)


def placed(vehicle, bay=CP1, minutes=1):
    """A person's word."""
    return fact(VehiclePlaced(who="ada"), minutes, vehicle=vehicle, station=bay[0], evse=bay[1])


def metered(soc, minutes, bay=CP1):
    """A state of charge that the charger tells."""
    return fact(SessionMetered(soc=soc), minutes, source=bay[0], station=bay[0], evse=bay[1])


def status(word, minutes=0, bay=CP1):
    """What a connector says."""
    return fact(ConnectorStatusChanged(status=word), minutes, station=bay[0], evse=bay[1])


def folded(*messages, state=None):
    """The state after these messages."""
    state = state or VehiclesState()
    for message in messages:
        state = fold(state, message)
        assert fold(state, message) == state
    return state


def run(state, seen, departures=(), config=CONFIG):
    """Decide, fold what was written; a second decision must write nothing."""
    written = scribe()
    decide(state, seen, config, departures, NOW, written, configured="cfg")
    state = folded(*written.messages, state=state)
    again = scribe(seen=2)
    decide(state, seen, config, departures, NOW, again, configured="cfg")
    assert again.messages == []
    return state, written.messages
