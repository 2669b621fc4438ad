"""A priced record as a CDR that a roaming partner takes."""

import json
import re
from datetime import UTC, datetime, time
from decimal import Decimal
from pathlib import Path

import pytest

from core.messages.commercial import PricedLine, RecordPriced
from core.messages.site import Tariff, TariffPeriod
from protocols.ocpi.translate import CdrLocation, CdrToken, NotBillable, Party, cdr, dumps, tariff_object

OWNER = Party("DE", "BSB")
TOKEN = CdrToken(issuer=Party("NL", "XYZ"), uid="04AA55", contract_id="NLXYZC0000017")
LOCATION = CdrLocation(
    id="DEPOT-1",
    address="Betriebshof 3",
    city="Musterstadt",
    country="DEU",
    latitude="52.500000",
    longitude="13.400000",
    evse_uid="CP-07-1",
    evse_id="DE*BSB*E0701",
    connector_id="1",
)
TARIFF = Tariff(
    id="tou",
    periods=(
        TariffPeriod(begins=time(0), price_per_kwh=Decimal("0.20")),
        TariffPeriod(begins=time(6), price_per_kwh=Decimal("0.35")),
    ),
)
REQUIRED = {
    "country_code",
    "party_id",
    "id",
    "start_date_time",
    "end_date_time",
    "cdr_token",
    "auth_method",
    "cdr_location",
    "currency",
    "charging_periods",
    "total_cost",
    "total_energy",
    "total_time",
    "last_updated",
}
REQUIRED_LOCATION = {
    "id",
    "address",
    "city",
    "country",
    "coordinates",
    "evse_uid",
    "evse_id",
    "connector_id",
    "connector_standard",
    "connector_format",
    "connector_power_type",
}
UPDATED = datetime(2026, 11, 26, 6, 30, 0, 123456, tzinfo=UTC)


def at(hour, minute=0):
    return datetime(2026, 11, 26, hour, minute, tzinfo=UTC)


def record(**changes):
    body = {
        "session": "CP-07/T1",
        "vehicle": "BUS-142",
        "cost_centre": "fleet",
        "begins": at(4),
        "ends": at(5, 20),
        "energy_kwh": Decimal("100.123456"),
        "cost": Decimal("23.00005"),
        "currency": "EUR",
        "tariff": "tou",
        "status": "complete",
        "lines": (
            PricedLine(
                begins=at(4), ends=at(5), energy_kwh=Decimal("80"), price_per_kwh=Decimal("0.20"), cost=Decimal(16)
            ),
            PricedLine(
                begins=at(5),
                ends=at(5, 20),
                energy_kwh=Decimal("20.123456"),
                price_per_kwh=Decimal("0.35"),
                cost=Decimal("7.0432096"),
            ),
        ),
    }
    return RecordPriced.model_validate(body | changes)


def made(**changes):
    return cdr(record(**changes), owner=OWNER, token=TOKEN, location=LOCATION, tariff=TARIFF, updated=UPDATED)


def test_every_required_field_is_there():
    data = made()
    assert data.keys() >= REQUIRED
    assert data["cdr_location"].keys() >= REQUIRED_LOCATION
    assert data["cdr_token"] == {
        "country_code": "NL",
        "party_id": "XYZ",
        "uid": "04AA55",
        "type": "RFID",
        "contract_id": "NLXYZC0000017",
    }
    assert (data["country_code"], data["party_id"], data["auth_method"], data["currency"]) == (
        "DE",
        "BSB",
        "WHITELIST",
        "EUR",
    )
    assert data["cdr_location"]["country"] == "DEU" and "name" not in data["cdr_location"]


def test_one_period_per_priced_line_with_energy_as_a_difference_and_time_in_hours():
    assert made()["charging_periods"] == [
        {
            "start_date_time": "2026-11-26T04:00:00Z",
            "dimensions": [
                {"type": "ENERGY", "volume": Decimal("80.0000")},
                {"type": "TIME", "volume": Decimal("1.0000")},
            ],
            "tariff_id": "tou",
        },
        {
            "start_date_time": "2026-11-26T05:00:00Z",
            "dimensions": [
                {"type": "ENERGY", "volume": Decimal("20.1235")},
                {"type": "TIME", "volume": Decimal("0.3333")},
            ],
            "tariff_id": "tou",
        },
    ]


def test_numbers_have_four_decimals_at_most_and_moments_end_in_z():
    data = made()
    assert (data["total_energy"], data["total_time"]) == (Decimal("100.1235"), Decimal("1.3333"))
    assert data["total_cost"] == data["total_energy_cost"] == {"excl_vat": Decimal("23.0001")}
    assert (data["start_date_time"], data["end_date_time"]) == ("2026-11-26T04:00:00Z", "2026-11-26T05:20:00Z")
    assert data["last_updated"] == "2026-11-26T06:30:00Z"
    text = dumps(data)
    assert all(len(decimals) <= 4 for decimals in re.findall(r":\d+\.(\d+)", text))
    assert json.loads(text, parse_float=Decimal) == json.loads(json.dumps(data, default=float), parse_float=Decimal)


def test_ids_are_fixed_by_session_and_tariff_and_fit():
    assert made()["id"] == made()["id"] != made(session="CP-07/T2")["id"]
    assert made()["id"] != made(tariff="other")["id"]
    assert len(made()["id"]) <= 36
    assert made()["session_id"] == "CP-07/T1"
    long = "CP-07/" + "x" * 31
    assert made(session=long)["session_id"] != long and len(made(session=long)["session_id"]) <= 36
    assert made(session=long[:-1])["session_id"] == long[:-1]


def test_an_incomplete_record_has_no_cdr():
    with pytest.raises(NotBillable, match="CP-07/T1"):
        made(status="incomplete", lines=())


def test_the_tariff_goes_with_it_one_element_per_period():
    tariff = made()["tariffs"][0]
    assert (tariff["id"], tariff["currency"], tariff["country_code"], tariff["party_id"]) == ("tou", "EUR", "DE", "BSB")
    assert tariff["elements"] == [
        {
            "price_components": [{"type": "ENERGY", "price": Decimal("0.2000"), "step_size": 1}],
            "restrictions": {"start_time": "00:00", "end_time": "06:00"},
        },
        {
            "price_components": [{"type": "ENERGY", "price": Decimal("0.3500"), "step_size": 1}],
            "restrictions": {"start_time": "06:00", "end_time": "00:00"},
        },
    ]
    flat = tariff_object(Tariff(), OWNER, UPDATED)["elements"]
    assert len(flat) == 1 and "restrictions" not in flat[0]
    assert tariff["last_updated"] == "2026-11-26T06:30:00Z"


def test_text_and_lists_are_written_as_json():
    value = {"a": ["ü", None, True, 1, Decimal("1E+2"), Decimal("0.10")], "b": {}, "c": ()}
    assert dumps(value) == '{"a":["ü",null,true,1,100,0.10],"b":{},"c":[]}'


SAMPLE = Path(__file__).parents[4] / "shared/data/commerce/ocpi-2.2.1/cdr_example.json"


@pytest.mark.skipif(not SAMPLE.exists(), reason="the standard's own sample is not beside this checkout")
def test_it_has_the_shape_of_the_standards_own_sample():
    def shape(value):
        if isinstance(value, dict):
            return {key: shape(item) for key, item in value.items()}
        return "text" if isinstance(value, str) else "number" if not isinstance(value, list) else "list"

    ours, theirs = shape(json.loads(dumps(made()))), shape(json.loads(SAMPLE.read_text()))
    optional = {"total_time_cost", "name", "postal_code", "incl_vat"}
    for key, kind in theirs.items():
        if isinstance(kind, dict):
            assert {k: v for k, v in kind.items() if k not in optional}.items() <= ours.get(key, kind).items()
        else:
            assert ours[key] == kind
