"""What this process has seen of a station: running transactions, charging states. Never truth, only a help to translate."""

from __future__ import annotations

from collections.abc import Iterable

from core.messages import Message
from core.messages.session import (
    KNOWN_TRANSACTIONS,
    KnownTransaction,
    SessionEnded,
    SessionMetered,
    SessionStarted,
    SessionUpdated,
    remembered,
)
from core.messages.station import ConnectorStatusChanged
from core.ports import KnownStation
from protocols.ocpp.dialect import OpenTransaction

MAX_OPEN = 64


class Memory:
    """Learns from the facts that a station's frames state."""

    def __init__(self, known: KnownStation) -> None:
        self._only = known.connectors[0].evse if len({c.evse for c in known.connectors}) == 1 else None
        self.open: dict[str, OpenTransaction] = {}
        self.states: dict[int, str] = {}
        self.ended: dict[str, None] = {}
        """The last transactions that this process saw end, in that order."""
        self.known: tuple[KnownTransaction, ...] = ()
        """What the journal knew of its transactions, and what came since."""

    def recall(self, journal: tuple[KnownTransaction, ...]) -> None:
        """Take over what the journal knows: another gateway may have heard it, and the newest may not be read back yet.

        What stands here before something that the journal has too was heard long ago, and is forgotten there by now.
        """
        mine, told = {one.transaction: one for one in self.known}, {one.transaction for one in journal}
        old = [mine.get(one.transaction, one) if one.ended is None else one for one in journal]
        shared = [number for number, one in enumerate(self.known, 1) if one.transaction in told]
        newest = self.known[max(shared, default=0) :]
        self.known = (*old, *newest)[-KNOWN_TRANSACTIONS:]

    def learn(self, facts: Iterable[Message]) -> bool:
        """Take the facts over; True where a transaction began or ended."""
        before = set(self.open)
        for fact in facts:
            self.known = remembered(self.known, fact)
            self._learn(fact)
        return set(self.open) != before

    def running(self, evse: int) -> str | None:
        """The transaction at an EVSE, as far as it was seen."""
        return next((t.transaction for t in self.open.values() if t.evse == evse), None)

    def _learn(self, fact: Message) -> None:
        body, evse = fact.body, fact.at.evse
        if isinstance(body, ConnectorStatusChanged) and evse is not None:
            self._state(evse, body.charging_state if body.status == "occupied" else body.status)
        elif isinstance(body, SessionStarted | SessionUpdated | SessionMetered) and body.transaction:
            token = None if isinstance(body, SessionMetered) else body.token
            self._runs(body.transaction, evse or self._only, token)
            running = self.open.get(body.transaction)
            if not isinstance(body, SessionMetered) and running is not None:
                self._state(running.evse, body.charging_state)
        elif isinstance(body, SessionEnded):
            gone = self.open.pop(body.transaction, None)
            self.ended.setdefault(body.transaction)
            if len(self.ended) > MAX_OPEN:
                del self.ended[next(iter(self.ended))]
            self.states.pop(gone.evse if gone else evse or 0, None)

    def _state(self, evse: int, state: str | None) -> None:
        if state is not None:
            self.states[evse] = state

    def _runs(self, transaction: str, evse: int | None, token: str | None) -> None:
        """A transaction that ended is never opened again by what comes late."""
        if transaction in self.ended or transaction in self.open or evse is None:
            return
        for other in [t.transaction for t in self.open.values() if t.evse == evse]:
            del self.open[other]  # one transaction per EVSE: its end was lost
        if len(self.open) < MAX_OPEN:
            self.open[transaction] = OpenTransaction(transaction, evse, token)
