"""From a wish to what is in the station: which profile to send, check or clear next; once for all versions, without I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from core.messages.allocation import Step
from core.messages.command import EvseWish
from core.messages.session import SessionMetered
from core.ports import KnownStation, Wish
from protocols.ocpp.dialect import Composite, Excess, Verdict
from protocols.ocpp.jobs import Check, Clear, Job, Judged, Key, Satisfied, Send, Slot, Stop
from protocols.ocpp.memory import Memory
from protocols.ocpp.schedules import EDGE, Target, encode, excess, limit_at
from protocols.ocpp.settings import Quirks, Settings

MAX_TRIES = 2
"""The same profile is never sent more often than this without a change of the wish or of the station's state."""
GOOD_SAMPLES = 2
TOLERANCE = 1.05
REACTION = timedelta(seconds=30)
"""So long a charger may take to follow a change before what it draws counts against it."""
IDS: dict[str, int] = {"max": 1, "default": 2, "transaction": 100, "evse_default": 200}
"""Profile ids are fixed per place, so that a new one replaces the old one and no orphan grows."""
LADDER: tuple[Literal["transaction", "default", "max", "stop"], ...] = ("transaction", "default", "max", "stop")


@dataclass(slots=True)
class Reconciler:
    """The reconciliation of one station. `reset` at every connection and boot: it then knows nothing and sends again."""

    known: KnownStation
    settings: Settings
    quirks: Quirks
    memory: Memory
    wish: Wish | None = None
    slots: dict[Key, Slot] = field(default_factory=dict)
    composite_works: bool = True
    levels: dict[int, int] = field(default_factory=dict)
    floors: dict[int, int] = field(default_factory=dict)
    cited: str = ""

    @property
    def evses(self) -> tuple[int, ...]:
        """The station's EVSEs."""
        return tuple(sorted({c.evse for c in self.known.connectors}))

    def reset(self) -> None:
        """Nothing is known about what is in the station."""
        self.slots.clear()
        self.levels.clear()
        self.floors.clear()
        self.composite_works = not self.quirks.no_composite
        self.cited = ""

    def offer(self, wish: Wish) -> bool:
        """Take a wish over if it is newer than the one held; the ladder begins again where steps were only refused."""
        if self.wish is not None and wish.position <= self.wish.position:
            return False
        self.wish = wish
        self.revive()
        return True

    def revive(self) -> None:
        """The wish or the station's state changed: what was refused may be tried again."""
        self.levels = dict(self.floors)
        for slot in self.slots.values():
            if slot.state in ("refused", "unanswered", "mismatched") and not slot.unsupported:
                slot.tries, slot.retry_at = 0, None

    # -- what shall be in the station -------------------------------------------------------------------------------

    def targets(self, now: datetime) -> dict[Key, Target]:
        """Every profile that shall be in the station now."""
        count = len(self.evses) or 1
        safe = (self.wish.body.safe_kw if self.wish else self.known.safe_kw) / count
        rating = sum({c.evse: c.max_kw for c in self.known.connectors}.values())
        begin = datetime.fromisoformat("2020-01-01T00:00:00+00:00")
        wanted: dict[Key, Target] = {
            (0, "max"): Target(IDS["max"], 0, "max", 0, (Step(at=begin, kw=rating),), None),
            (0, "default"): Target(IDS["default"], 0, "default", 0, (Step(at=begin, kw=safe),), None, None, count),
        }
        if self.wish is None or now >= self.wish.body.valid_until:
            return wanted
        for wish in self.wish.body.evses:
            if wish.evse in self.evses and wish.steps:
                wanted.update(self._for_evse(wish, self.wish.body.valid_until, safe))
        return wanted

    def _for_evse(self, wish: EvseWish, until: datetime, safe: float) -> dict[Key, Target]:
        transaction = wish.transaction if wish.transaction and wish.transaction not in self.memory.ended else None
        level = LADDER[self.levels.get(wish.evse, 0)] if transaction else "default"
        if level == "transaction":
            ident = IDS["transaction"] + wish.evse
            return {
                (wish.evse, "transaction"): Target(ident, wish.evse, "transaction", 0, wish.steps, until, transaction)
            }
        steps = tuple(Step(at=s.at, kw=s.kw if transaction else min(s.kw, safe)) for s in wish.steps)
        if level in ("max", "stop") and len(self.evses) == 1:
            return {(0, "max"): self._lowest(Target(IDS["max"], 0, "max", 0, steps, None))}
        if level != "default" or (transaction is None and all(step.kw >= safe - 0.001 for step in steps)):
            return {}
        ident = IDS["evse_default"] + wish.evse
        return {(wish.evse, "default"): Target(ident, wish.evse, "default", 1, steps, until)}

    def _lowest(self, target: Target) -> Target:
        """The station's maximum as the wish: nothing else holds it, so it stays lowered, also where it is not obeyed."""
        slot = self.slots.get((0, "max"))
        return slot.target if slot is not None and slot.unsupported else target

    def _exhausted(self, evse: int) -> bool:
        """Whether every kind of profile was refused or not obeyed."""
        level, top = self.levels.get(evse, 0), self.slots.get((0, "max"))
        cannot = len(self.evses) == 1 and top is not None and top.unsupported
        return level == LADDER.index("stop") or (level == LADDER.index("max") and cannot)

    # -- the next thing to do ---------------------------------------------------------------------------------------

    def next(self, now: datetime) -> Job | None:
        """The next step towards the wish; None while there is nothing to do before `due`."""
        wanted = self.targets(now)
        return self._send(wanted, now) or self._clear(wanted, now) or self._judge() or self._check(now) or self._rest()

    def due(self, now: datetime) -> datetime | None:
        """When a retry is due."""
        moments = [s.retry_at for s in self.slots.values() if s.retry_at is not None and s.retry_at > now]
        return min(moments, default=None)

    def _send(self, wanted: dict[Key, Target], now: datetime) -> Send | None:
        for key, target in wanted.items():
            slot = self.slots.get(key)
            if slot is not None and slot.target == target and not self._again(slot, now):
                continue
            if slot is not None and slot.target != target:
                slot.tries = 0
            return Send(key, target, encode(target, now, self.quirks.max_periods))
        return None

    @staticmethod
    def _again(slot: Slot, now: datetime) -> bool:
        if slot.state not in ("refused", "unanswered", "mismatched") or slot.tries >= MAX_TRIES:
            return False
        return slot.retry_at is None or slot.retry_at <= now

    def _clear(self, wanted: dict[Key, Target], now: datetime) -> Clear | None:
        for key in [k for k in self.slots if k not in wanted]:
            slot = self.slots[key]
            over = slot.profile.installed.until is not None and slot.profile.installed.until <= now
            ended = slot.profile.transaction is not None and slot.profile.transaction in self.memory.ended
            if over or ended or slot.state == "refused":
                del self.slots[key]
                continue
            return Clear(key, slot.profile)
        return None

    def _judge(self) -> Judged | None:
        for key, slot in self.slots.items():
            if slot.state == "accepted" and (slot.good >= GOOD_SAMPLES or slot.bad):
                return Judged(key, slot.bad)
        return None

    def _check(self, now: datetime) -> Check | None:
        if not self.composite_works:
            return None
        for evse in self.evses:
            keys = self._settled_by(evse)
            if not any(self.slots[key].state == "accepted" and not self._behind(key, keys) for key in keys):
                continue
            ends = [u for key in keys if (u := self.slots[key].profile.installed.until) is not None]
            return Check(evse, keys, max([now, *ends]) + timedelta(seconds=60))
        return None

    def _behind(self, key: Key, keys: tuple[Key, ...]) -> bool:
        """Whether it was seen that this place does not show behind the end of the one above it."""
        return key != keys[0] and self.slots[key].hidden

    def _settled_by(self, evse: int) -> tuple[Key, ...]:
        """The places whose profile shows in this EVSE's composite, the top one first.

        A transaction's profile ends, and behind its end the default shows: one question reads both back.
        """
        own, transaction = (evse, "default"), (evse, "transaction")
        if transaction in self.slots:
            order: tuple[Key, ...] = (transaction, (0, "default"), (0, "max"))
        elif own in self.slots:
            order = (own, (0, "default"), (0, "max"))
        elif self.memory.running(evse) is None:
            order = ((0, "default"), (0, "max"))
        else:
            order = ((0, "max"),)  # an older profile of the transaction may hide the default
        return tuple(key for key in order if key in self.slots)

    def _rest(self) -> Satisfied | Stop | None:
        if self.wish is None:
            return None
        for wish in self.wish.body.evses:
            if self._exhausted(wish.evse) and self.quirks.stop_when_uncontrollable and wish.transaction:
                self.levels[wish.evse] = 0
                return Stop(wish.evse, wish.transaction)
        if self.cited == self.wish.id or any(slot.state != "confirmed" for slot in self.slots.values()):
            return None
        self.cited = self.wish.id
        return Satisfied(self.wish, tuple(slot.profile.installed for slot in self.slots.values()))

    # -- what became of it ------------------------------------------------------------------------------------------

    def sent(self, job: Send, call: str) -> Slot:
        """The profile is about to go out."""
        before = self.slots.get(job.key)
        tries = before.tries + 1 if before is not None and before.target == job.target else 1
        slot = Slot(job.target, job.profile, self.wish.id if self.wish else "", call, tries=tries)
        self.slots[job.key] = slot
        return slot

    def answered(self, key: Key, call: str, verdict: Verdict | Literal["unanswered"], now: datetime) -> None:
        """The station answered that call, or did not."""
        slot = self.slots.get(key)
        if slot is None or slot.call != call:
            return
        if verdict == "accepted":
            slot.state, slot.accepted_at, slot.retry_at = "accepted", now, None
            return
        slot.state = "unanswered" if verdict == "unanswered" else "refused"
        if verdict == "not_supported":
            slot.tries, slot.unsupported = MAX_TRIES, True
        slot.retry_at = now + timedelta(seconds=self.settings.retry_s)
        if slot.tries >= MAX_TRIES and verdict != "unanswered":
            self._descend(key, for_good=verdict == "not_supported")

    def settled(self, key: Key, *, confirmed: bool) -> None:
        """A place was read back or measured."""
        slot = self.slots[key]
        if confirmed:
            slot.state = "confirmed"
            if slot.wish and key[0] > 0:
                self.cited = slot.wish
            return
        slot.state, slot.tries = "mismatched", MAX_TRIES
        self._descend(key, for_good=False)

    def _descend(self, key: Key, *, for_good: bool) -> None:
        """The ladder: transaction profile, default of the EVSE, station maximum, stop."""
        evse = key[0] or self.evses[0]
        level = LADDER.index(key[1])
        if key[0] == 0 and self.levels.get(evse, 0) < level:
            return
        if level >= self.levels.get(evse, 0):
            self.levels[evse] = min(level + 1, len(LADDER) - 1)
        if for_good:
            self.floors[evse] = self.levels[evse]

    def forget(self, keys: Iterable[Key]) -> None:
        """What became of these places could not be journalled: send again."""
        for slot in (self.slots[key] for key in keys if key in self.slots):
            slot.state, slot.tries, slot.retry_at = "unanswered", 0, None

    def shown(self, check: Check, read: Composite) -> list[Key]:
        """The places that still have to be settled and of which something was read back, the top one first.

        A default shows behind the end of the profile above it alone: an answer that ends before then says nothing of it.
        """
        keys = [key for key in check.keys if key in self.slots]
        ends = self.slots[keys[0]].profile.installed.until if keys else None
        for key in keys[1:]:
            short = ends is not None and read.until is not None and read.until <= ends + EDGE
            self.slots[key].hidden = key[1] == "default" and short
        return [key for key in keys if self.slots[key].state == "accepted" and not self._behind(key, check.keys)]

    def compare(self, check: Check, read: Composite, now: datetime) -> Excess | None:
        """What was read back that allows more than what was sent."""
        profiles = [self.slots[key].profile.installed for key in check.keys if key in self.slots]
        return excess(read, profiles, now, check.until, len(self.evses) or 1)

    def measure(self, evse: int, sample: SessionMetered, at: datetime) -> None:
        """Count a measured value for or against a profile that was accepted and cannot be read back."""
        if self.composite_works:
            return
        shown = sample.offered_kw if sample.offered_kw is not None else sample.power_kw
        settled = self._settled_by(evse)
        keys = [key for key in settled if key in (settled[0], (0, "max"))]  # a default that is hidden is not measured
        profiles = [self.slots[key].profile.installed for key in keys]
        if shown is None or not keys:
            return
        limit = limit_at(profiles, at, len(self.evses) or 1, REACTION)
        good = limit is None or shown <= limit * TOLERANCE + 0.05
        for slot in (self.slots[key] for key in (keys if good else keys[:1])):
            if slot.accepted_at is not None and at > slot.accepted_at:
                slot.good = slot.good + 1 if good else 0
                late = at >= slot.accepted_at + timedelta(seconds=self.settings.confirm_s)
                slot.bad = Excess("measured_above_wish", shown, limit) if not good and late else None
