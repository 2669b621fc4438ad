"""`connect`: what to type into a charger, who knocks without being known, and letting one in."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from datetime import UTC
from itertools import zip_longest
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from gateway.cli.client import Where, everything, need, only_site, running, source, station_known, zones
from gateway.cli.errors import NO, CliError
from gateway.cli.options import FILE, data_folder, examples, hub_options, json_option, load_settings, print_json
from gateway.cli.table import moment, table
from gateway.secrets import FileSecrets
from gateway.settings.models import credential

SUBPROTOCOLS = ("ocpp2.0.1", "ocpp1.6")


@click.group()
def connect() -> None:
    """Connect peers."""


@examples(
    "busbar connect ocpp CP-01 --config depot/busbar.toml",
    "busbar connect ocpp CP-01 --config depot/busbar.toml --password-to cp-01.password",
    "busbar connect ocpp --knocking",
    "busbar connect ocpp CP-99 --accept --node panel-1 --connectors 90,90",
)
@connect.command("ocpp")
@click.argument("station", required=False)
@click.option("--knocking", is_flag=True, help="List stations that asked and were turned away, and why.")
@click.option("--accept", is_flag=True, help="Let STATION in; needs a running hub.")
@click.option("--node", help="With --accept: the panel it hangs on; without it the station gets 0 kW.")
@click.option("--connectors", metavar="KW[,KW]", help="With --accept: kW of each connector.")
@click.option("--site", help="With --accept: the site; may be left out where there is one.")
@click.option("--show-password", is_flag=True, help="Print the password also where the output is no terminal.")
@click.option("--password-to", type=FILE, help="Write the password into this new file, mode 0600.")
@json_option
@hub_options
def ocpp(
    station: str | None,
    knocking: bool,
    accept: bool,
    node: str | None,
    connectors: str | None,
    site: str | None,
    show_password: bool,
    password_to: Path | None,
    as_json: bool,
    where: Where,
) -> None:
    """What to type into STATION: URL, subprotocols, user, password; without STATION who knocks."""
    if knocking or station is None:
        _knocking(where, as_json)
        return
    if accept:
        _accept(where, station, node, connectors, site)
    told = _told(where, station, accepted=accept, show=show_password or sys.stdout.isatty(), to=password_to)
    if as_json:
        print_json(told)
    else:
        click.echo("\n".join(f"{key:13} {_plain(value)}" for key, value in told.items()))
    if accept and not as_json:
        click.echo(f"\nto keep it in the configuration:\n{_toml(station, node, connectors)}")


def _plain(value: Any) -> str:
    return ", ".join(str(v) for v in value) if isinstance(value, list | tuple) else str(value)


def _knocking(where: Where, as_json: bool) -> None:
    with source(where) as hub:
        at = set(zones(hub).values())
        rows = everything(hub, "/stations", {"knocking": 1}, 1000)
    if as_json:
        print_json(rows)
    else:
        zone = at.pop() if len(at) == 1 else UTC
        told = [{name: moment(value, zone) for name, value in row.items()} for row in rows]
        columns = ("station", "reason", "next", "address", "first", "last", "count")
        click.echo(table(told, columns, "nobody has been turned away"))


def _accept(where: Where, station: str, node: str | None, connectors: str | None, site: str | None) -> None:
    hub = need(where)
    body = {"station": station, "site": only_site(hub, site), "node": node, "connectors_kw": _ratings(connectors)}
    hub.post("/stations", body)


def _ratings(connectors: str | None) -> list[float]:
    try:
        found = [float(kw) for kw in (connectors or "").split(",") if kw.strip()]
    except ValueError:
        found = []
    if not found or min(found) <= 0:
        raise CliError("the connectors' ratings are needed", "--connectors", "write kW of each: --connectors 90,90")
    return found


def _toml(station: str, node: str | None, connectors: str | None) -> str:
    rated = ", ".join(f"{{ evse = {i}, max_kw = {kw:g} }}" for i, kw in enumerate(_ratings(connectors), start=1))
    place = [f'node = "{node}"'] if node else []
    return "\n".join(
        [
            "[[sites.stations]]",
            f"id = {json.dumps(station, ensure_ascii=False)}",
            *place,
            f"connectors = [{rated}]",
            "safe_kw = 0",
        ]
    )


def _told(where: Where, station: str, *, accepted: bool, show: bool, to: Path | None) -> dict[str, Any]:
    """URLs, subprotocols, user, and the password or where it is; whom the hub has just let in, nobody asks it about."""
    settings = load_settings(where.config) if where.config else None
    data = data_folder(where.data, where.config)
    declared = settings.stations() if settings else {}
    if settings and station not in declared and not (accepted or _admitted(where, station)):
        raise CliError(f"no station `{station}`", str(where.config), "declare it, or let it in: --accept", NO)
    name = credential(station)
    chosen = settings.aliases() if settings else {}
    secrets = FileSecrets(data, settings.base if settings else Path(), aliases=chosen)
    password = secrets.generate(name) if station in declared and name not in chosen else secrets.get(name)
    return {
        "url": _urls(where, settings, data, station),
        "subprotocols": SUBPROTOCOLS,
        "user": station,
        "password": _password(password, chosen.get(name, name), show=show, to=to),
    }


def _admitted(where: Where, station: str) -> bool:
    """Whether the running hub knows a station that the configuration does not declare: somebody let it in."""
    hub = running(where)
    return hub is not None and station_known(hub, station)


def _password(value: bytes | None, reference: str, *, show: bool, to: Path | None) -> str:
    if value is None:
        return f"not there yet ({reference}); next: name --config where it is declared, or let it in: --accept"
    if to is not None:
        try:
            with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(value)
        except FileExistsError:
            raise CliError("there is such a file already", str(to), "name a new file, or remove that one") from None
        return f"in {to}"
    if not show:
        return "hidden: the output is no terminal; next: --show-password"
    return value.decode("utf-8", "replace")


def _urls(where: Where, settings: Any, data: Path, station: str) -> list[str]:
    """The addresses that the running hub really bound, else those that the configuration names."""
    identity = quote(station, safe="")
    return [f"{url}/{identity}" for url in urls(settings, _listening(data) if running(where) is not None else [])]


def urls(settings: Any, bound: list[str]) -> list[str]:
    """The URLs up to the identity, of what is bound, else of what the configuration names."""
    declared = settings.adapters.get("ocpp", {}).get("listeners", [{}]) if settings else [{}]
    if not bound:
        bound = [f"{entry.get('host', '127.0.0.1')}:{entry.get('port', 9220)}" for entry in declared]
    pairs: Iterator[tuple[Any, Any]] = zip_longest(bound, declared[: len(bound)], fillvalue={})
    return [_address(str(place), entry, settings) for place, entry in pairs]


def _address(place: str, entry: Any, settings: Any) -> str:
    """The URL up to the identity; where every address is bound, by the name that the certificate carries."""
    if "://" in place:
        return place
    host, _, port = place.rpartition(":")
    if host.strip("[]") in {"0.0.0.0", "::", ""}:  # noqa: S104 because: compared, not bound
        host = _name(entry.get("tls"), settings) or socket.getfqdn()
    return f"{'wss' if entry.get('tls') else 'ws'}://{host}:{port}/ocpp"


def _name(tls: str | None, settings: Any) -> str | None:
    """The common name of a context's certificate, if it can be read."""
    from cryptography import x509

    declared = next((t for t in settings.tls if t.name == tls), None) if settings else None
    try:
        leaf = x509.load_pem_x509_certificates(declared.certificate.read_bytes())[0] if declared else None
    except (OSError, ValueError):
        return None
    names = leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME) if leaf else []
    return str(names[0].value) if names else None


def _listening(data: Path) -> list[str]:
    """`ocpp` in `<data>/hub.json`: what was really bound, `HOST:PORT` or a URL up to the identity."""
    try:
        told = json.loads((data / "hub.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    found = told.get("ocpp", []) if isinstance(told, dict) else []
    return [str(place).rstrip("/") for place in found]
