"""`why` and `trace`: lineage as a tree down to the evidence, and the frames of one station."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from datetime import UTC
from typing import Any

import click

from gateway.cli.client import Source, Where, items, need, part, source, station_known, zones
from gateway.cli.errors import NO, CliError
from gateway.cli.options import examples, hub_options, json_option, print_json
from gateway.cli.table import cell, moment, table

AT_ONCE = 1000
"""Frames that the hub gives in one answer."""
MARKS = (
    "\N{BOX DRAWINGS LIGHT VERTICAL AND RIGHT}\N{BOX DRAWINGS LIGHT HORIZONTAL} ",
    "\N{BOX DRAWINGS LIGHT UP AND RIGHT}\N{BOX DRAWINGS LIGHT HORIZONTAL} ",
)


@examples("busbar why BUS-142", "busbar why station:CP-07 --depth 4", "busbar why BUS-142 --json")
@click.command()
@click.argument("id")
@click.option("--depth", type=click.IntRange(1), help="Levels shown; all by default.")
@json_option
@hub_options
def why(id: str, depth: int | None, as_json: bool, where: Where) -> None:
    """The lineage of ID: a message, a vehicle (BUS-142), a station's limit (station:CP-07 or CP-07), an incident."""
    with source(where) as hub:
        tree = _tree(hub, id, depth)
    if as_json:
        print_json(tree)
        return
    for line in drawn(tree):
        click.echo(line)


def _tree(hub: Source, id: str, depth: int | None) -> Any:
    """What the hub says; a station may be named without its prefix, and may have been told nothing yet."""
    try:
        return hub.get(f"/why/{part(id)}", {"depth": depth})
    except CliError as error:
        station = id.removeprefix("station:")
        if error.code != NO:
            raise
        if not station_known(hub, station):
            step = "see `busbar vehicles`, `busbar stations` or `busbar incidents`; who was turned away: `busbar trace --refused ocpp`"
            raise CliError(error.what, "", step, NO) from None
        if station != id:
            raise CliError(
                f"{station} was given no limit yet", "", "see whether it is connected: busbar stations", NO
            ) from None
    return _tree(hub, f"station:{id}", depth)


def drawn(node: Mapping[str, Any], before: str = "", mark: str = "") -> Iterator[str]:
    """The tree as lines; each says what it is, when (site's time), and its id; `more` counts what is not shown."""
    told = [node.get("local"), node.get("text") or node.get("type")]
    label = "  ".join(cell(t) for t in told if t)
    tail = f"  [{cell(node['id'])}]" if node.get("id") else ""
    tail += " (followed elsewhere in this tree)" if node.get("again") else ""
    yield f"{before}{mark}{label}{tail}"
    children = [c for c in node.get("children", []) if isinstance(c, Mapping)]
    if node.get("more"):
        children.append({"text": f"and {node['more']} more"})
    inner = before + ("" if not mark else "\N{BOX DRAWINGS LIGHT VERTICAL}  " if mark == MARKS[0] else "   ")
    for index, child in enumerate(children):
        yield from drawn(child, inner, MARKS[index == len(children) - 1])


@examples(
    "busbar trace CP-07 --at-most 20",
    "busbar trace CP-07 --follow",
    "busbar trace CP-07 --json > frames.jsonl",
    "busbar trace --refused ocpp",
    "busbar trace --refused ocpp ocpp-12 --json",
)
@click.command()
@click.argument("station", required=False)
@click.option(
    "--refused", metavar="PROTOCOL", help="Instead: who was turned away (ocpp, oscp), or one such item by its id."
)
@click.option("--follow", is_flag=True, help="Go on with new frames until Ctrl-C.")
@click.option(
    "--at-most", type=click.IntRange(1), default=100, show_default=True, help="The newest so many, oldest first."
)
@json_option
@hub_options
def trace(station: str | None, refused: str | None, follow: bool, at_most: int, as_json: bool, where: Where) -> None:
    """Frames of STATION, redacted: time, direction, text; with --json one object per line, to export."""
    if refused is not None:
        _refused(where, refused, station, at_most, as_json)
        return
    if station is None:
        raise CliError("which station?", "busbar trace", "name one (`busbar stations`), or --refused PROTOCOL")
    path = f"/stations/{part(station)}/frames"
    with nullcontext(need(where)) if follow else source(where) as hub:
        rows = _newest(hub, path, at_most)
        if not rows:
            _nothing(hub, station)
        _print(rows, as_json)
        since = _last(rows)
        while follow:
            time.sleep(1.0)
            rows = items(hub.get(path, {"since": since}))
            _print(rows, as_json)
            since = _last(rows) or since


def _refused(where: Where, protocol: str, id: str | None, at_most: int, as_json: bool) -> None:
    """What was turned away over a protocol, the newest so many, oldest first."""
    with source(where) as hub:
        rows = items(hub.get(f"/refused/{part(protocol)}", {"id": id}))[-at_most:]
        at = zones(hub)
    if id is not None and not rows:
        raise CliError(
            f"nothing of that id was turned away by {protocol}", id, f"busbar trace --refused {protocol}", NO
        )
    if as_json:
        _print(rows, as_json)
        return
    zone = next(iter(at.values()), UTC) if len(at) == 1 else UTC
    told = [row["item"] | {"time": moment(row["time"], zone), "id": row["id"], "peer": row["peer"]} for row in rows]
    click.echo(table(told, ("id", "time", "peer", *_said(told)), f"nobody was turned away over {protocol}"))


def _said(rows: list[dict[str, Any]]) -> list[str]:
    """What the items say beside who and when."""
    return sorted({key for row in rows for key in row} - {"id", "time", "peer"})


def _newest(hub: Source, path: str, at_most: int) -> list[dict[str, Any]]:
    """The newest so many frames, oldest first."""
    rows: list[dict[str, Any]] = []
    while len(rows) < at_most:
        asked = min(at_most - len(rows), AT_ONCE)
        page = items(hub.get(path, {"limit": asked, "before": rows[0]["position"] if rows else None}))
        rows = [*page, *rows]
        if len(page) < asked:
            break
    return rows


def _nothing(hub: Source, station: str) -> None:
    """Why there is no frame: nobody of that name, or nothing said yet."""
    if not station_known(hub, station):
        raise CliError(f"no station `{station}`", "", "see `busbar stations`, or who knocks: busbar connect ocpp", NO)
    click.echo(f"no frame of {station} yet; what to type into it: busbar connect ocpp {station}", err=True)


def _last(rows: list[dict[str, Any]]) -> Any:
    return rows[-1].get("position") if rows else None


def _print(rows: list[dict[str, Any]], as_json: bool) -> None:
    for row in rows:
        if as_json:
            click.echo(json.dumps(row, ensure_ascii=False))
        else:
            click.echo(f"{cell(row.get('time'))}  {cell(row.get('direction')):8}  {cell(row.get('text'))}")
