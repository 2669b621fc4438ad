"""Who is known: stations by configuration and admission, tokens, partners, and strangers that knock."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.directory import KNOCKING_KEPT, Directory, fold
from core.messages import Body, Message, Physical, compose
from core.messages.gateway import PeerChanged, TokenChanged
from core.messages.session import KNOWN_TRANSACTIONS, KnownTransaction, SessionEnded, SessionStarted
from core.messages.site import Connector, SiteConfig, SiteConfigured, Vehicle
from core.messages.station import StationAdmitted, StationBooted, StationKnocked
from core.ports import KnownStation, TokenAnswer
from tests.core.site.depot import START, site, token


def fact(body: Body, seconds: float = 0, *, of: str = "depot", station: str | None = None) -> Message:
    moment = START + timedelta(seconds=seconds)
    return compose(body, id=f"m{seconds}", time=moment, source="t", site=of, at=Physical(station=station))


def told(*messages: Message) -> Directory:
    state = Directory()
    for message in messages:
        state = fold(state, message)
    return state


def configured(config: SiteConfig | None = None, of: str = "depot") -> Message:
    return fact(SiteConfigured(digest="d", config=config or site()), of=of)


def admitted(station: str, kw: float = 22, of: str = "depot", safe_kw: float = 0.0) -> Message:
    body = StationAdmitted(station=station, node="p1", connectors=(Connector(evse=1, max_kw=kw),), safe_kw=safe_kw)
    return fact(body, of=of)


def knock(station: str | None, seconds: float = 0) -> Message:
    return fact(StationKnocked(reason="station_unknown"), seconds, of="_hub", station=station)


def test_a_configured_station_is_known_with_its_site_and_its_credential() -> None:
    known = told(configured()).station("C")
    assert known == KnownStation("C", "depot", site().stations[2].connectors, 6.0, "station/C")


def test_a_station_that_nobody_declared_is_not_known() -> None:
    assert told(configured()).station("Z") is None
    assert Directory().station("A") is None


def test_an_admitted_station_is_known() -> None:
    known = told(configured(), admitted("Z", safe_kw=3)).station("Z")
    assert known == KnownStation("Z", "depot", (Connector(evse=1, max_kw=22),), 3.0, "station/Z")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_configuration_wins_over_admission_whichever_came_first(order: tuple[int, int]) -> None:
    messages = (configured(), admitted("A", kw=22, of="other"))
    known = told(*(messages[i] for i in order)).station("A")
    assert known is not None
    assert (known.site, known.connectors[0].max_kw) == ("depot", 150)


def test_a_station_that_leaves_the_configuration_is_known_no_more() -> None:
    less = site().model_copy(update={"stations": site().stations[:1]})
    state = told(configured(), configured(less))
    assert state.station("A") is not None
    assert state.station("B") is None


def test_a_station_that_two_sites_declare_belongs_to_the_last_of_them_by_name() -> None:
    sites = [f"site-{n}" for n in range(9)]
    known = told(*(configured(of=name) for name in reversed(sites))).station("A")
    assert known is not None
    assert known.site == "site-8"


def test_a_card_of_the_fleet_is_accepted_and_names_its_vehicle() -> None:
    assert told(configured()).token("depot", token("bus-2")) == TokenAnswer(True, "vehicle_token", "bus-2")


def test_an_evccid_counts_like_a_card() -> None:
    bus = Vehicle(id="bus-9", type="solo", evccids=("ev-9",))
    config = site().model_copy(update={"vehicles": (bus,)})
    assert told(configured(config)).token("depot", "ev-9") == TokenAnswer(True, "vehicle_token", "bus-9")


@pytest.mark.parametrize(("policy", "accepted"), [("leftover", True), ("deny", False)])
def test_an_unknown_card_is_answered_by_the_site_s_policy(policy: str, accepted: bool) -> None:
    state = told(configured(site(unknown_vehicles=policy)))
    assert state.token("depot", "stranger") == TokenAnswer(accepted, "guest_allowed" if accepted else "token_unknown")


def test_at_an_unknown_site_no_card_charges() -> None:
    assert told(configured()).token("elsewhere", token("bus-1")) == TokenAnswer(False, "site_unknown")


@pytest.mark.parametrize(("valid", "reason"), [(True, "token_known"), (False, "token_withdrawn")])
def test_a_changed_card_s_word_comes_first(valid: bool, reason: str) -> None:
    change = TokenChanged(token=token("bus-1"), valid=valid, vehicle="bus-3")
    state = told(configured(site(unknown_vehicles="deny")), fact(change))
    assert state.token("depot", token("bus-1")) == TokenAnswer(valid, reason, "bus-3")
    assert state.token("depot", token("bus-2")).reason == "vehicle_token"


def test_a_card_changed_at_one_site_is_not_changed_at_another() -> None:
    change = TokenChanged(token="guest", valid=False)
    state = told(configured(), configured(of="other"), fact(change, of="other"))
    assert state.token("depot", "guest").reason == "guest_allowed"
    assert state.token("other", "guest").reason == "token_withdrawn"


def test_a_partner_is_what_its_adapter_kept_last() -> None:
    first = PeerChanged(adapter="oscp", peer="dso", state={"url": "a"})
    last = PeerChanged(adapter="oscp", peer="dso", state={"url": "b"})
    state = told(fact(first, of="_hub"), fact(last, of="_hub"))
    assert state.partner("oscp", "dso") == {"url": "b"}
    assert state.partner("ocpi", "dso") is None
    assert state.partner("oscp", "other") is None


def test_a_stranger_that_knocks_is_listed_with_its_newest_knock() -> None:
    state = told(configured(), knock("Z", 1), knock("Z", 2))
    assert {name: m.id for name, m in state.knocking.items()} == {"Z": "m2"}


def test_a_knock_that_names_nobody_is_not_listed() -> None:
    assert told(knock(None)).knocking == Directory().knocking


def test_once_admitted_or_configured_a_station_is_no_stranger_any_more() -> None:
    state = told(knock("Z", 1), knock("Y", 2), knock("A", 3), admitted("Z"))
    assert set(state.knocking) == {"Y", "A"}
    assert set(fold(state, configured()).knocking) == {"Y"}


def test_the_list_of_strangers_is_bounded_and_forgets_the_oldest_knock() -> None:
    state = told(*(knock(f"Z{n}", n) for n in range(KNOCKING_KEPT)))
    assert len(state.knocking) == KNOCKING_KEPT == 200
    again = fold(state, knock("Z0", 500))
    assert len(again.knocking) == KNOCKING_KEPT
    full = fold(again, knock("new", 501))
    assert len(full.knocking) == KNOCKING_KEPT
    assert "Z1" not in full.knocking
    assert {"Z0", "Z2", "new"} <= set(full.knocking)


def test_of_knocks_of_one_moment_the_first_by_name_is_forgotten() -> None:
    state = told(*(knock(f"Z{n:03}") for n in range(KNOCKING_KEPT)))
    assert "Z000" not in fold(state, knock("new")).knocking


def test_other_facts_change_nothing() -> None:
    state = told(configured())
    assert fold(state, fact(StationBooted(), station="A")) is state


def test_letters_case_and_blanks_of_a_card_do_not_matter() -> None:
    change = TokenChanged(token="Guest", valid=False)
    state = told(configured(), fact(change))
    assert state.token("depot", " gUEST ").reason == "token_withdrawn"
    assert state.token("depot", token("bus-2").swapcase()) == TokenAnswer(True, "vehicle_token", "bus-2")


def test_the_last_transactions_of_a_station_are_known_in_the_order_in_which_they_were_heard_of() -> None:
    first = [
        fact(SessionStarted(transaction="T"), 0, station="CP-1"),
        fact(SessionStarted(transaction="U"), 5, station="CP-1"),
        fact(SessionEnded(transaction="T"), 9, station="CP-1"),
    ]
    repeats = [
        fact(SessionStarted(transaction="T"), 1, station="CP-1"),
        fact(SessionEnded(transaction="T"), 99, station="CP-1"),
    ]
    known = (
        KnownTransaction("T", START, START + timedelta(seconds=9)),
        KnownTransaction("U", START + timedelta(seconds=5)),
    )
    assert told(*first).transactions("CP-1") == told(*first, *repeats).transactions("CP-1") == known
    assert told(*first).transactions("CP-2") == ()
    more = [fact(SessionStarted(transaction=f"N{n}"), 100 + n, station="CP-1") for n in range(KNOWN_TRANSACTIONS)]
    assert [one.transaction for one in told(*first, *more).transactions("CP-1")][:2] == ["N0", "N1"]
