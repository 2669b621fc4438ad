"""A charge point of a stranger's make, of each version, from the first knock to the invoice."""

from __future__ import annotations

import re
import ssl
from typing import Any
from urllib.parse import quote

import pytest
import websockets

from tests.outside.chargers import SUBPROTOCOLS, Profiles, charging_station, dialled, now
from tests.outside.depot import Depot
from tests.waiting import until

VERSIONS = pytest.mark.parametrize(("version", "station", "vehicle"), [("1.6", "CP-01", 1), ("2.0.1", "CP-02", 2)])


VIEWS = {
    "1.6": {"stations": ("ocpp1.6",), "sessions": ("0.41",)},
    "2.0.1": {"stations": ("ocpp2.0.1",), "vehicles": ("0.41",)},
}
"""What a person sees of it; every view is tried with one of the two."""


async def refused(depot: Depot, station: str, password: str, *subprotocols: str) -> int:
    """The status that a station gets before the upgrade."""
    with pytest.raises(websockets.InvalidStatus) as found:
        async with dialled(depot.station_url(), station, password, *subprotocols):
            pass
    return int(found.value.response.status_code)


async def row(depot: Depot, path: str, **equal: Any) -> dict[str, Any] | None:
    """The first row of a list that has these values."""
    rows = await depot.items(path)
    return next((r for r in rows if all(r.get(k) == v for k, v in equal.items())), None)


@VERSIONS
async def test_a_wrong_password_is_401_and_stands_in_the_knocking_list(
    depot: Depot, version: str, station: str, vehicle: int
) -> None:
    before = await depot.counted("busbar_stations_refused_total", reason="credential_wrong")
    assert await refused(depot, station, "guessed", SUBPROTOCOLS[version]) == 401
    assert await depot.counted("busbar_stations_refused_total", reason="credential_wrong") == before + 1

    async def knocked() -> bool:
        rows = await depot.items("/stations", knocking=1)
        return any(r["station"] == station and "password" in r["reason"] for r in rows)

    await until(knocked)


async def test_no_common_version_is_told_and_closes(depot: Depot) -> None:
    password = depot.password("CP-01")
    assert await refused(depot, "CP-01", password) == 400
    with pytest.raises(websockets.ConnectionClosed) as closed:
        async with dialled(depot.station_url(), "CP-01", password, "ocpp1.5") as socket:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, "ocpp2.0.1" in closed.value.rcvd.reason) == (1002, True)


@pytest.mark.parametrize(("version", "station"), [("1.6", "NEW-16"), ("2.0.1", "NEW/201 b")])
async def test_an_unknown_station_knocks_is_let_in_and_connects_with_the_password_it_was_given(
    depot: Depot, version: str, station: str
) -> None:
    assert await refused(depot, station, "whatever", SUBPROTOCOLS[version]) == 404

    async def knocks() -> bool:
        return any(r["station"] == station for r in await depot.items("/stations", knocking=1))

    await until(knocks)
    told = await depot.busbar("connect", "ocpp")
    assert station in told.out
    accepted = await depot.busbar(
        "connect", "ocpp", station, "--accept", "--node", "panel-2", "--connectors", "60", "--json", "--show-password"
    )
    assert accepted.code == 0, accepted.err
    told = accepted.json
    assert told["url"][0] == f"{depot.station_url()}/{quote(station, safe='')}"
    assert SUBPROTOCOLS[version] in told["subprotocols"]
    profiles = Profiles()
    async with charging_station(version, depot.station_url(), station, told["password"], profiles=profiles) as charger:
        assert (await charger.boot()).status == "Accepted"
        await until(lambda: profiles.limits("TxDefaultProfile") == [0.0])

        async def shown() -> bool:
            seen = await row(depot, "/stations", station=station)
            told = seen and (seen["node"], seen["connected"], seen["version"])
            return told == ("panel-2", True, SUBPROTOCOLS[version])

        await until(shown)  # because: rows follow the journal a moment later


async def tells(depot: Depot, command: tuple[str, ...], words: tuple[str, ...]) -> str:
    """What a command says, once all of these words stand in it: what it reads follows the journal a moment later."""

    async def told() -> str:
        ended = await depot.busbar(*command)
        assert ended.code == 0, ended.err
        return ended.out if all(word in ended.out for word in words) else ""

    return str(await until(told))


@VERSIONS
async def test_a_night_of_one_charger_is_told_in_every_view(
    depot: Depot, version: str, station: str, vehicle: int
) -> None:
    profiles = Profiles(refuse=1)
    bus, token = f"BUS-{vehicle}", f"TAG-{vehicle}"
    maximum = "ChargePointMaxProfile" if version == "1.6" else "ChargingStationMaxProfile"
    roots = ssl.create_default_context(cafile=str(depot.folder / "pki" / "root.pem"))
    async with charging_station(
        version, depot.station_url(tls=True), station, depot.password(station), profiles=profiles, roots=roots
    ) as charger:
        boot = await charger.boot()
        assert (boot.status, boot.interval) == ("Accepted", 300)
        assert (await charger.heartbeat()).current_time
        await charger.status("Available")
        assert await charger.authorise(token) == "Accepted"
        # at first contact: the rating, refused once and sent again, and the safe level for every transaction
        await until(lambda: profiles.purposes().count(maximum) == 2 and profiles.limits("TxDefaultProfile") == [10.0])
        profiles.refuse = 1
        await charger.begin(token)
        await charger.meter(1100, 40)
        await until(lambda: profiles.purposes().count("TxProfile") >= 2)
        await charger.meter(1200, 41)
        await until(lambda: profiles.kw() > 7.0)
        # a person's limit arrives as a profile
        limited = await depot.busbar("limit", station, "7", "--for", "2h", "--why", "the cable is warm")
        assert limited.code == 0, limited.err
        await until(lambda: max(profiles.limits("TxProfile")) == 7.0)

        async def rejected() -> bool:
            found = await depot.messages("command.rejected", station=station)
            return {m["body"].get("purpose", "transaction") for m in found} >= {"max", "transaction"}

        await until(rejected)
        for verb, words in VIEWS[version].items():
            await tells(depot, (verb,), (*words, bus, station))
        await tells(depot, ("why", f"station:{station}"), ("the cable is warm", "SetChargingProfile"))
        trace = await tells(depot, ("trace", station), ("SetChargingProfile",))
        assert token not in trace, "a card's number stands in the trace"

    # the socket is lost and comes again: the station gets its wish again
    profiles.got.clear()
    async with charging_station(
        version, depot.station_url(tls=True), station, depot.password(station), profiles=profiles, roots=roots
    ) as again:
        again.transaction = charger.transaction
        if version == "2.0.1":
            again.seq = charger.seq
        await again.heartbeat()
        await until(lambda: {"TxProfile", "TxDefaultProfile"} <= set(profiles.purposes()))
        assert profiles.last("TxProfile")["transaction_id"] == charger.transaction
        await again.finish(token, 2000)
        session = await until(lambda: row(depot, "/records", vehicle=bus))
        assert session["energy_kwh"] == 1.0
    lost = await until(lambda: row(depot, "/stations", station=station, connected=False))
    assert re.fullmatch(rf"{station} has not been connected since \d\d:\d\d\.", lost["reason"])


async def test_a_charger_whose_numbers_begin_again_gets_limits_and_a_bill_for_each_charge_also_over_a_kill_of_the_hub(
    folder: Depot,
) -> None:
    depot = await folder.start().ready()
    station, token, profiles = "CP-02", "TAG-2", Profiles()
    password, url = depot.password(station), depot.station_url()

    async def later(than: str) -> None:
        await until(lambda: now() != than)

    async with charging_station("2.0.1", url, station, password, profiles=profiles) as first:
        await first.boot()
        await first.begin(token, 1000, number="1")
        await until(lambda: "TxProfile" in profiles.purposes())
        await first.finish(token, 2000)
        await later(now())
    profiles.got.clear()
    async with charging_station("2.0.1", url, station, password, profiles=profiles) as again:
        await again.boot()
        await again.begin(token, 2000, number="1")
        await until(lambda: "TxProfile" in profiles.purposes())
        assert profiles.last("TxProfile")["transaction_id"] == "1"
        depot.kill()
    profiles.got.clear()
    await depot.start().ready()
    async with charging_station("2.0.1", url, station, password, profiles=profiles) as after:
        after.transaction, after.seq = "1", again.seq
        await after.heartbeat()
        await until(lambda: "TxProfile" in profiles.purposes())
        await after.meter(4000, 50)
        await after.finish(token, 5000)

        async def billed() -> bool:
            return sorted(r["energy_kwh"] for r in await depot.items("/records")) == [1.0, 3.0]

        await until(billed)
