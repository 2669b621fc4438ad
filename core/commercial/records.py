"""One priced record per ended session: written once, when both registers are there or have been waited for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from immutables import Map

from core.access import vehicle_of
from core.commercial.pricing import UNASSIGNED, price
from core.messages import Message, Physical
from core.messages.commercial import RecordPriced
from core.messages.scribe import Scribe
from core.messages.site import SiteConfig, SiteConfigured
from core.sessions import Session

LATE_SAMPLES = timedelta(minutes=15)
"""A session without its registers waits so long for samples that arrive late, then its record is incomplete."""


@dataclass(frozen=True, slots=True)
class RecordsState:
    """Which sessions have their record, and which message holds the tariff."""

    priced: Map[str, str] = field(default_factory=Map)
    """Record's message id by session."""
    configured_by: str = ""


def fold(state: RecordsState, message: Message) -> RecordsState:
    """The state after one more message; a session's first record stands."""
    body = message.body
    if isinstance(body, SiteConfigured):
        return replace(state, configured_by=message.id)
    if not isinstance(body, RecordPriced) or body.session in state.priced:
        return state
    return replace(state, priced=state.priced.set(body.session, message.id))


def decide(
    state: RecordsState, sessions: Mapping[str, Session], config: SiteConfig, now: datetime, scribe: Scribe
) -> None:
    """Write `record.priced` for every ended session that has none and is due."""
    for name, session in sorted(sessions.items()):
        due = _due(session)
        if name in state.priced or due is None or now < due:
            continue
        session = _with_payer(session, config)
        body = price(session, config.tariff, config.zone, cost_centre(session.vehicle, config))
        scribe.write(body, at=_at(session), causes=_causes(session, state.configured_by))


def next_deadline(state: RecordsState, sessions: Mapping[str, Session], now: datetime) -> datetime | None:
    """The first moment after `now` at which a record is due with unchanged sessions."""
    dues = (_due(session) for name, session in sessions.items() if name not in state.priced)
    return min((due for due in dues if due is not None and due > now), default=None)


def cost_centre(vehicle: str | None, config: SiteConfig) -> str:
    """Who pays: the vehicle's cost centre; a session of an unknown vehicle is `unassigned`, never dropped."""
    return next((v.cost_centre for v in config.vehicles if v.id == vehicle), UNASSIGNED)


def _with_payer(session: Session, config: SiteConfig) -> Session:
    """The session of a vehicle that was never seen at its plug (all of it was told later) is its card's."""
    if session.vehicle is not None or session.token is None or session.contested:
        return session
    return replace(session, vehicle=vehicle_of(session.token, config))


def _due(session: Session) -> datetime | None:
    """When the record is due; None while the session runs."""
    if session.ended is None:
        return None
    whole = session.begin_wh is not None and session.end_wh is not None
    return session.ended if whole else max(session.ended, session.told or session.ended) + LATE_SAMPLES


def _at(session: Session) -> Physical:
    return Physical(
        session=session.id,
        vehicle=session.vehicle,
        station=session.station,
        evse=session.evse,
        begins=session.started,
        ends=session.ended,
    )


def _causes(session: Session, configured_by: str) -> list[str]:
    """Begin and end of the session, its last sample, and the tariff."""
    last = session.points[-1].message if session.points else ""
    return [session.started_by, session.ended_by or "", last, configured_by]
