"""Who may charge, one sentence each."""

import pytest

from core.access import may_charge, normal, vehicle_of
from core.messages.gateway import TokenChanged
from core.messages.site import Node, Policies, SiteConfig, Vehicle
from core.ports import TokenAnswer


def site(policy="leftover"):
    return SiteConfig(
        id="depot",
        nodes=(Node(id="grid", limit_kw=100),),
        vehicles=(
            Vehicle(id="BUS-1", type="12m", tokens=("AB12",), evccids=("00:11",)),
            Vehicle(id="BUS-2", type="12m", tokens=("CD34", "SAME")),
            Vehicle(id="BUS-3", type="12m", tokens=("SAME",)),
        ),
        policies=Policies(unknown_vehicles=policy),
    )


def known(token, valid=True, vehicle=None):
    return {normal(token): TokenChanged(token=token, valid=valid, vehicle=vehicle)}


@pytest.mark.parametrize("policy", ["leftover", "deny"])
def test_a_known_token_charges_whatever_the_policy(policy):
    answer = may_charge(" card-9 ", known("CARD-9", vehicle="BUS-9"), site(policy))
    assert answer == TokenAnswer(True, "token_known", "BUS-9")


def test_a_known_token_without_a_vehicle_takes_the_configurations_one():
    assert may_charge("ab12", known("AB12"), site()) == TokenAnswer(True, "token_known", "BUS-1")


def test_a_withdrawn_token_is_refused_also_where_guests_charge():
    assert may_charge("X", known("X", valid=False), site()) == TokenAnswer(False, "token_withdrawn", None)
    assert may_charge("AB12", known("AB12", valid=False), site()) == TokenAnswer(False, "token_withdrawn", "BUS-1")
    assert may_charge("X", known("X", valid=False, vehicle="B"), site()) == TokenAnswer(False, "token_withdrawn", "B")


def test_a_vehicles_card_or_evccid_charges():
    assert may_charge("ab12", {}, site("deny")) == TokenAnswer(True, "vehicle_token", "BUS-1")
    assert may_charge("00:11", {}, site("deny")) == TokenAnswer(True, "vehicle_token", "BUS-1")


def test_a_stranger_charges_only_where_the_site_lets_guests():
    assert may_charge("zz", {}, site()) == TokenAnswer(True, "guest_allowed", None)
    assert may_charge("zz", {}, site("deny")) == TokenAnswer(False, "token_unknown", None)


def test_an_empty_token_is_nobody():
    assert may_charge("  ", {}, site()) == TokenAnswer(False, "token_unknown", None)
    assert vehicle_of("", site()) is None


def test_a_token_that_two_vehicles_carry_names_neither():
    assert vehicle_of("same", site()) is None
    assert vehicle_of(" cd34", site()) == "BUS-2"
