"""Constraints and topology become the operating envelope: per node what may be imported when, and what binds.

Sources are resolved one by one (newer statements replace what they cover; a stale source falls to its fallback), then
the strictest wins. `docs/envelopes.md` tells the rules and the choices behind them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from immutables import Map

from core.messages import Message, Physical
from core.messages.envelope import EnvelopeComputed, EnvelopeSegment
from core.messages.grid import ConstraintStated, SourceContacted, SourceStateChanged
from core.messages.scribe import Scribe
from core.messages.site import Node, SiteConfig, SiteConfigured, Source
from core.profiles import Block, bridge, find
from core.sources import HISTORY, SourceState, State, fold_constraint, fold_contact, fold_state, present

HORIZON = timedelta(hours=48)
RATING = "rating"
_END = datetime.max.replace(tzinfo=UTC) - HORIZON
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class GridState:
    """All sources, and the envelope that stands."""

    sources: Map[str, SourceState] = Map()
    revision: int = 0
    segments: tuple[EnvelopeSegment, ...] = ()
    degraded: tuple[str, ...] = ()
    computed_by: str = ""
    """Id of the last `envelope.computed`."""
    configured_by: str = ""
    configured_at: datetime | None = None
    inputs: int = 0
    """Counts statements and configurations that changed something."""
    computed_from: int = -1
    """`inputs` of the last envelope: as long as they are equal, it needs no comparing."""
    latest: datetime | None = None
    """The newest moment in any folded message of a source."""


@dataclass(frozen=True, slots=True)
class _Resolved:
    """One source made ready for looking up: its statements bridged, and what holds beside them."""

    source: Source
    known: SourceState
    now: datetime
    assume_fresh: bool
    limits: tuple[Block, ...]
    fallbacks: tuple[Block, ...]

    def current(self, at: datetime) -> bool:
        """Whether the source counts as current at that instant, seen from now."""
        return present(self.known, self.now) and (self.assume_fresh or present(self.known, at))


@dataclass(frozen=True, slots=True)
class _Limit:
    """One limit at one instant, with its label and the messages that it rests on."""

    kw: float
    label: str
    fallback: bool = False
    causes: tuple[str, ...] = ()


def fold(state: GridState, message: Message) -> GridState:
    """The state after this message; a message folded twice changes nothing the second time."""
    body = message.body
    if isinstance(body, SiteConfigured):
        return _fold_configuration(state, message)
    if isinstance(body, EnvelopeComputed):
        return _fold_envelope(state, message, body)
    if not isinstance(body, ConstraintStated | SourceContacted | SourceStateChanged):
        return state
    latest = max(state.latest or message.time, message.time)
    before = source = state.sources.get(body.source, SourceState())
    inputs = state.inputs
    if isinstance(body, ConstraintStated):
        source = fold_constraint(before, message, body, latest - HISTORY)
        inputs += source != before
    elif isinstance(body, SourceContacted):
        source = fold_contact(source, message, body)
    else:
        source = fold_state(source, message, body)
    return replace(state, sources=state.sources.set(body.source, source), inputs=inputs, latest=latest)


def standing(state: GridState, source: str, now: datetime) -> State:
    """Whether the source is current at `now`; one that was never heard stands in fallback."""
    known = state.sources.get(source)
    return "current" if known is not None and present(known, now) else "fallback"


def decide(state: GridState, config: SiteConfig, now: datetime, scribe: Scribe) -> None:
    """Write each source's change of state, and the envelope if it differs from the last one from now on."""
    changed: dict[str, Message] = {}
    for source in config.sources:
        known = state.sources.get(source.id, SourceState())
        stands = standing(state, source.id, now)
        if stands != known.recorded:
            changed[source.id] = _write_state(state, source, known, stands, scribe)
    settled = state.computed_from == state.inputs and not changed
    if settled and _degraded(state, config, now) == state.degraded:
        return
    segments = compute(state, config, now, horizon(state, now))
    same = _from(segments, now) == _from(state.segments, now)
    if not same or _degraded(state, config, now) != state.degraded:
        _write_envelope(state, config, now, segments, changed, scribe)


def next_deadline(state: GridState, config: SiteConfig, now: datetime) -> datetime | None:
    """The first moment after `now` at which a source turns stale; nothing else changes by time alone."""
    known = [state.sources[s.id] for s in config.sources if s.id in state.sources]
    moments = [s.fresh_until for s in known if s.present and s.fresh_until is not None]
    return min((m for m in moments if m > now), default=None)


def horizon(state: GridState, now: datetime) -> datetime:
    """Until when an envelope reaches: 48 h beyond now and beyond the end of the last stated block."""
    ends = [b.ends for s in state.sources.values() for blocks in s.blocks.values() for b in blocks]
    return min(max([now, *ends]), _END) + HORIZON


def compute(
    state: GridState, config: SiteConfig, now: datetime, until: datetime, *, assume_fresh: bool = True
) -> tuple[EnvelopeSegment, ...]:
    """The envelope from `now` to `until`: all nodes, per node in time order, half-open, without gaps.

    With `assume_fresh=False` every source drops to its fallback at its `fresh_until`, which is what a wish must respect:
    a reduction that is known in advance. A node's own rating and the sources scoped to it are looked at; what an
    ancestor allows is the tree's business.
    """
    segments: list[EnvelopeSegment] = []
    for node in config.nodes:
        for segment in _node_segments(state, config, node, now, now, until, assume_fresh):
            _add(segments, segment)
    return tuple(segments)


def limits(
    state: GridState,
    config: SiteConfig,
    node: str,
    begins: datetime,
    ends: datetime,
    *,
    now: datetime | None = None,
    assume_fresh: bool = False,
) -> float:
    """The lowest import limit (kW) of a node within a half-open window, seen from `now` (default: `begins`).

    An unknown node allows nothing.
    """
    known = next((n for n in config.nodes if n.id == node), None)
    if known is None:
        return 0.0
    until = max(ends, begins + _INSTANT)
    return min(s.import_kw for s in _node_segments(state, config, known, now or begins, begins, until, assume_fresh))


def causes(state: GridState, config: SiteConfig, now: datetime) -> Map[str, tuple[str, ...]]:
    """For each label that binds in some segment from `now` on, the ids of the messages that it rests on."""
    found: dict[str, tuple[str, ...]] = {}
    for node in config.nodes:
        sources = _resolve(state, config, node, now, assume_fresh=True)
        for begins in _edges(sources, now, horizon(state, now))[:-1]:
            binding = _limits(state, sources, node, begins)[0]
            known = found.get(binding.label, ())
            found[binding.label] = tuple(dict.fromkeys((*known, *binding.causes)))
    return Map(found)


def _write_envelope(
    state: GridState,
    config: SiteConfig,
    now: datetime,
    segments: tuple[EnvelopeSegment, ...],
    changed: Mapping[str, Message],
    scribe: Scribe,
) -> None:
    """The next revision. Its direct causes: changes of state, the configuration, and what binds in it."""
    degraded = _degraded(state, config, now)
    body = EnvelopeComputed(revision=state.revision + 1, segments=segments, degraded=degraded, inputs=state.inputs)
    binding = causes(state, config, now)
    superseded = {state.sources[s].recorded_by for s in changed if s in state.sources}
    rests_on = [i for label in sorted(binding) for i in binding[label] if i not in superseded]
    because = (*(m.id for m in changed.values()), state.configured_by, *rests_on)
    scribe.write(body, at=Physical(begins=now, ends=horizon(state, now)), causes=because)


def _degraded(state: GridState, config: SiteConfig, now: datetime) -> tuple[str, ...]:
    return tuple(s.id for s in config.sources if standing(state, s.id, now) == "fallback")


def _write_state(state: GridState, source: Source, known: SourceState, stands: State, scribe: Scribe) -> Message:
    reason = "source_back" if stands == "current" else "grid_source_lost" if known.contacts else "source_never_heard"
    last = known.contacts[-1] if known.contacts else state.configured_by
    body = SourceStateChanged(source=source.id, state=stands, reason=reason)
    return scribe.write(body, at=Physical(node=source.node), causes=(last, known.recorded_by))


def _fold_configuration(state: GridState, message: Message) -> GridState:
    """A configuration changes no source's standing: it is no contact."""
    known = state.configured_at
    if message.id == state.configured_by or (known is not None and message.time < known):
        return state
    return replace(state, configured_by=message.id, configured_at=message.time, inputs=state.inputs + 1)


def _fold_envelope(state: GridState, message: Message, body: EnvelopeComputed) -> GridState:
    if body.revision <= state.revision:
        return state
    return replace(
        state,
        revision=body.revision,
        segments=body.segments,
        degraded=body.degraded,
        computed_by=message.id,
        computed_from=body.inputs,
    )


def _node_segments(
    state: GridState,
    config: SiteConfig,
    node: Node,
    now: datetime,
    begins: datetime,
    until: datetime,
    assume_fresh: bool,
) -> Iterator[EnvelopeSegment]:
    """One node's steps from `begins` to `until`, with the freshness as it is seen from `now`."""
    sources = _resolve(state, config, node, now, assume_fresh)
    for start, end in pairwise(_edges(sources, begins, until)):
        yield _segment(node.id, start, end, _limits(state, sources, node, start))


def _resolve(
    state: GridState, config: SiteConfig, node: Node, now: datetime, assume_fresh: bool
) -> tuple[_Resolved, ...]:
    resolved = []
    for source in config.sources:
        if source.node == node.id:
            known = state.sources.get(source.id, SourceState())
            said = {role: bridge(known.blocks.get(("import", role), ())) for role in ("limit", "fallback")}
            resolved.append(_Resolved(source, known, now, assume_fresh, said["limit"], said["fallback"]))
    return tuple(resolved)


def _edges(sources: Iterable[_Resolved], begins: datetime, until: datetime) -> list[datetime]:
    """Every moment in [begins, until] at which a limit of these sources may step."""
    edges = {begins, until}
    for source in sources:
        for block in (*source.limits, *source.fallbacks):
            edges |= {block.begins, block.ends}
        if source.known.fresh_until is not None:
            edges.add(source.known.fresh_until)
    return sorted(e for e in edges if begins <= e <= until)


def _limits(state: GridState, sources: Iterable[_Resolved], node: Node, at: datetime) -> list[_Limit]:
    """All limits of a node at one instant, strictest first; on a tie outside statements come before the rating."""
    found = [limit for source in sources if (limit := _source_limit(state, source, at)) is not None]
    found.append(_Limit(node.limit_kw, RATING, causes=(state.configured_by,)))
    return sorted(found, key=lambda limit: limit.kw)


def _source_limit(state: GridState, source: _Resolved, at: datetime) -> _Limit | None:
    """What one source allows at an instant; None: it is current and makes no statement."""
    said = find(source.limits, at)
    current = source.current(at)
    cached = bool(source.known.contacts) and source.source.mode_on_stale == "hold_until_exhausted"
    if said is not None and said.kw is not None and (current or cached):
        return _Limit(said.kw, source.source.id, causes=(said.message, *said.also, source.known.recorded_by))
    return None if current else _fallback(state, source, at)


def _fallback(state: GridState, source: _Resolved, at: datetime) -> _Limit:
    """The fallback that the source stated for this instant, else the configured one."""
    label = f"{source.source.id} fallback"
    stated = find(source.fallbacks, at)
    if stated is not None and stated.kw is not None:
        return _Limit(stated.kw, label, True, (stated.message, *stated.also, source.known.recorded_by))
    return _Limit(source.source.fallback_import_kw, label, True, (source.known.recorded_by, state.configured_by))


def _segment(node: str, begins: datetime, ends: datetime, limits: list[_Limit]) -> EnvelopeSegment:
    binding, *others = limits
    return EnvelopeSegment(
        node=node,
        begins=begins,
        ends=ends,
        import_kw=binding.kw,
        binding_source=binding.label,
        runner_up=others[0].label if others else None,
        fallback=binding.fallback,
    )


def _add(segments: list[EnvelopeSegment], new: EnvelopeSegment) -> None:
    """Append, joined with the one before where both say the same."""
    if segments and _said(segments[-1]) == _said(new):
        segments[-1] = segments[-1].model_copy(update={"ends": new.ends})
    else:
        segments.append(new)


def _said(segment: EnvelopeSegment) -> tuple[object, ...]:
    return (segment.node, segment.import_kw, segment.binding_source, segment.runner_up, segment.fallback)


def _from(segments: Iterable[EnvelopeSegment], now: datetime) -> tuple[tuple[object, ...], ...]:
    """The envelope as a function from `now` on: where each step begins; the last one of a node goes on for ever."""
    last = {s.node: s.ends for s in segments}
    return tuple((max(s.begins, now), *_said(s)) for s in segments if s.ends > now or s.ends == last[s.node])
