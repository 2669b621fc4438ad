"""Who is known: stations with their last transactions, tokens and partners, folded from facts; the answers that a peer waits for are looked up here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from immutables import Map

from core.access import may_charge, normal
from core.messages import Message
from core.messages.gateway import PeerChanged, TokenChanged
from core.messages.session import KnownTransaction, SessionEnded, SessionStarted, remembered
from core.messages.site import SiteConfig, SiteConfigured, Station
from core.messages.station import StationAdmitted, StationKnocked
from core.ports import KnownStation, TokenAnswer


@dataclass(frozen=True, slots=True)
class Directory:
    """The folded state; it implements the lookups of `core.ports.Directory`."""

    configs: Map[str, SiteConfig] = Map()
    stations: Map[str, KnownStation] = Map()
    admitted: Map[str, tuple[str, StationAdmitted]] = Map()
    """Station to (site, what a person admitted)."""
    tokens: Map[str, Map[str, TokenChanged]] = Map()
    """Site to its changed tokens, by the form in which tokens are compared."""
    partners: Map[tuple[str, str], Mapping[str, Any]] = Map()
    charged: Map[str, tuple[KnownTransaction, ...]] = Map()
    """Station to its last transactions."""
    knocking: Map[str, Message] = Map()
    """Stations that asked and were refused, newest knock each."""

    def station(self, identity: str) -> KnownStation | None:
        """The station with that identity; configuration wins over admission."""
        return self.stations.get(identity)

    def token(self, site: str, token: str) -> TokenAnswer:
        """Whether the token may charge at the site, by `core.access`."""
        config = self.configs.get(site)
        if config is None:
            return TokenAnswer(False, "site_unknown")
        return may_charge(token, self.tokens.get(site, Map()), config)

    def partner(self, adapter: str, name: str) -> Mapping[str, Any] | None:
        """The last state that the adapter kept about that partner."""
        return self.partners.get((adapter, name))

    def transactions(self, station: str) -> tuple[KnownTransaction, ...]:
        """The last transactions of a station, in the order in which they were heard of."""
        return self.charged.get(station, ())


KNOCKING_KEPT = 200


def fold(state: Directory, message: Message) -> Directory:
    """The directory after one more fact; facts of other concepts change nothing."""
    body = message.body
    if isinstance(body, SiteConfigured):
        return _stations(replace(state, configs=state.configs.set(message.site, body.config)))
    if isinstance(body, StationAdmitted):
        admitted = state.admitted.set(body.station, (message.site, body))
        return _stations(replace(state, admitted=admitted))
    if isinstance(body, TokenChanged):
        known = state.tokens.get(message.site, Map())
        return replace(state, tokens=state.tokens.set(message.site, known.set(normal(body.token), body)))
    if isinstance(body, PeerChanged):
        return replace(state, partners=state.partners.set((body.adapter, body.peer), body.state))
    if isinstance(body, SessionStarted | SessionEnded) and message.at.station:
        station = message.at.station
        return replace(state, charged=state.charged.set(station, remembered(state.transactions(station), message)))
    if isinstance(body, StationKnocked) and message.at.station:
        return replace(state, knocking=_knocked(state.knocking, message.at.station, message))
    return state


def _knocked(known: Map[str, Message], station: str, message: Message) -> Map[str, Message]:
    if station not in known and len(known) >= KNOCKING_KEPT:
        known = known.delete(min(known, key=lambda s: (known[s].time, s)))
    return known.set(station, message)


def _stations(state: Directory) -> Directory:
    """All stations, and none of them in the knocking list any more."""
    stations = {a.station: _known(site, a.station, a) for site, a in state.admitted.values()}
    for site, config in sorted(state.configs.items()):
        stations.update({s.id: _known(site, s.id, s) for s in config.stations})
    knocking = state.knocking
    for identity in [s for s in knocking if s in stations]:
        knocking = knocking.delete(identity)
    return replace(state, stations=Map(stations), knocking=knocking)


def _known(site: str, identity: str, declared: Station | StationAdmitted) -> KnownStation:
    return KnownStation(identity, site, declared.connectors, declared.safe_kw, credential=f"station/{identity}")
