"""A priced record as an OCPI 2.2.1 charge detail record (mod_cdrs 1.3.1): pure translation, numbers as Decimal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal

from core.messages import identify
from core.messages.commercial import PricedLine, RecordPriced
from core.messages.site import Tariff

_FOUR = Decimal("0.0001")
_MAX_ID = 36

AuthMethod = Literal["AUTH_REQUEST", "COMMAND", "WHITELIST"]


class NotBillable(ValueError):
    """The record is incomplete: there is no CDR for it; next: correct the session's register, then price again."""


@dataclass(frozen=True, slots=True)
class Party:
    """A party of the roaming world: ISO 3166 alpha-2 country and three-letter id."""

    country_code: str
    party_id: str


@dataclass(frozen=True, slots=True)
class CdrToken:
    """The token as it was at the session's start."""

    issuer: Party
    uid: str
    contract_id: str
    type: Literal["AD_HOC_USER", "APP_USER", "OTHER", "RFID"] = "RFID"


@dataclass(frozen=True, slots=True)
class CdrLocation:
    """Where it was, as it was at the session's start; `country` is ISO 3166 alpha-3."""

    id: str
    address: str
    city: str
    country: str
    latitude: str
    longitude: str
    evse_uid: str
    evse_id: str
    connector_id: str
    connector_standard: str = "IEC_62196_T2_COMBO"
    connector_format: Literal["SOCKET", "CABLE"] = "CABLE"
    connector_power_type: str = "DC"
    name: str = ""
    postal_code: str = ""


def cdr(
    record: RecordPriced,
    *,
    owner: Party,
    token: CdrToken,
    location: CdrLocation,
    tariff: Tariff,
    updated: datetime,
    auth_method: AuthMethod = "WHITELIST",
) -> dict[str, Any]:
    """The CDR of one record: an id that its session and tariff fix, one charging period per priced line.

    Raises:
        NotBillable: the record is incomplete.
    """
    if record.status != "complete":
        raise NotBillable(f"{record.session}: a register is missing; next: correct it, then price again")
    cost = _price(record.cost)
    data: dict[str, Any] = {
        "country_code": owner.country_code,
        "party_id": owner.party_id,
        "id": identify("cdr", record.session, record.tariff, record.begins),
        "start_date_time": _moment(record.begins),
        "end_date_time": _moment(record.ends),
        "session_id": _session_id(record.session),
        "cdr_token": _token(token),
        "auth_method": auth_method,
        "cdr_location": _location(location),
        "currency": record.currency,
        "tariffs": [tariff_object(tariff, owner, updated)],
        "charging_periods": [_period(line, record.tariff) for line in record.lines],
        "total_cost": cost,
        "total_energy": _number(record.energy_kwh),
        "total_energy_cost": cost,
        "total_time": _hours(record.begins, record.ends),
        "last_updated": _moment(updated),
    }
    return data


def tariff_object(tariff: Tariff, owner: Party, updated: datetime) -> dict[str, Any]:
    """The time-of-use tariff as OCPI's tariff object (mod_tariffs 1.4.1): one element per period, prices per kWh."""
    periods = tariff.periods
    return {
        "country_code": owner.country_code,
        "party_id": owner.party_id,
        "id": tariff.id,
        "currency": tariff.currency,
        "elements": [_element(periods, index) for index in range(len(periods))],
        "last_updated": _moment(updated),
    }


def dumps(value: Any) -> str:
    """JSON with Decimals as plain numbers, never by way of a float; keys in the order given."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(str(key))}:{dumps(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(dumps(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _element(periods: Sequence[Any], index: int) -> dict[str, Any]:
    component = {"type": "ENERGY", "price": _number(periods[index].price_per_kwh), "step_size": 1}
    element: dict[str, Any] = {"price_components": [component]}
    if len(periods) > 1:
        following = periods[(index + 1) % len(periods)]
        element["restrictions"] = {
            "start_time": f"{periods[index].begins:%H:%M}",
            "end_time": f"{following.begins:%H:%M}",
        }
    return element


def _token(token: CdrToken) -> dict[str, Any]:
    return {
        "country_code": token.issuer.country_code,
        "party_id": token.issuer.party_id,
        "uid": token.uid,
        "type": token.type,
        "contract_id": token.contract_id,
    }


def _location(location: CdrLocation) -> dict[str, Any]:
    data: dict[str, Any] = {
        "id": location.id,
        "name": location.name,
        "address": location.address,
        "city": location.city,
        "postal_code": location.postal_code,
        "country": location.country,
        "coordinates": {"latitude": location.latitude, "longitude": location.longitude},
        "evse_uid": location.evse_uid,
        "evse_id": location.evse_id,
        "connector_id": location.connector_id,
        "connector_standard": location.connector_standard,
        "connector_format": location.connector_format,
        "connector_power_type": location.connector_power_type,
    }
    return {key: value for key, value in data.items() if value != ""}


def _period(line: PricedLine, tariff: str) -> dict[str, Any]:
    return {
        "start_date_time": _moment(line.begins),
        "dimensions": [
            {"type": "ENERGY", "volume": _number(line.energy_kwh)},
            {"type": "TIME", "volume": _hours(line.begins, line.ends)},
        ],
        "tariff_id": tariff,
    }


def _price(amount: Decimal) -> dict[str, Decimal]:
    """A Price without VAT: `vat` is not stated by the tariff, and absent means not applicable."""
    return {"excl_vat": _number(amount)}


def _session_id(session: str) -> str:
    """OCPI's ids have 36 characters at most; a longer natural key is named by its hash."""
    return session if len(session) <= _MAX_ID else identify("session", session)


def _hours(begins: datetime, ends: datetime) -> Decimal:
    return _number(Decimal(str((ends - begins).total_seconds())) / 3600)


def _number(value: Decimal) -> Decimal:
    return value.quantize(_FOUR, ROUND_HALF_UP)


def _moment(value: datetime) -> str:
    """RFC 3339 in UTC with `Z`, whole seconds."""
    return value.astimezone(UTC).replace(microsecond=0).strftime("%Y-%m-%dT%H:%M:%SZ")
