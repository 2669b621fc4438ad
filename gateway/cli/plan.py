"""`plan`: the allocation as a what-if, without a hub."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from gateway.cli.errors import NO, UNREACHABLE, USAGE, CliError
from gateway.cli.options import examples, print_json
from gateway.cli.table import table


@examples(
    "busbar plan examples/what-if.json", "busbar plan examples/what-if.json --table", "busbar plan - < problem.json"
)
@click.command()
@click.argument("file", metavar="FILE")
@click.option(
    "--json/--table", "as_json", default=True, show_default=True, help="The whole answer, or what people need of it."
)
def plan(file: str, as_json: bool) -> None:
    """A what-if: the problem in FILE (JSON; - is stdin) in, the allocation with outcomes and reasons out; no hub needed.

    Exit 1 if somebody is not served. docs/allocation.md has the form of a problem, examples/what-if.json is one.
    """
    problem = _read(file)
    from pydantic import ValidationError

    from core import planning

    try:
        result: Any = planning.plan(problem)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(p) for p in first["loc"])
        raise CliError(
            f"{place}: {first['msg']}", file, "docs/allocation.md says what a problem holds", USAGE
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise CliError(
            f"not a problem: {error}", file, "docs/allocation.md says what a problem holds", USAGE
        ) from error
    if as_json:
        print_json(result)
    else:
        click.echo("\n".join(_told(result)))
    if isinstance(result, dict) and result.get("missed"):
        raise click.exceptions.Exit(NO)


def _told(result: Mapping[str, Any]) -> Iterator[str]:
    """Who gets what, and for everybody who is short the limits in numbers that add up."""
    yield table(result["outcomes"], ("id", "met", "needed_kwh", "planned_kwh", "spare_kwh", "reason"))
    for short in result["shortages"]:
        yield (
            f"\n{', '.join(short['vehicles'])}: {short['needed_kwh']:g} kWh needed, {short['passed_kwh']:g} kWh can pass, "
            f"{short['missing_kwh']:g} kWh missing; what passes:"
        )
        yield table(short["limits"], ("node", "source", "begins", "ends", "kwh"))
    yield from (f"this plan breaks a limit: {fault}" for fault in result["faults"])


def _read(file: str) -> Any:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        return json.loads(text)
    except RecursionError as error:
        raise CliError(
            "not a problem: nested too deeply", file, "docs/allocation.md says what a problem holds", USAGE
        ) from error
    except OSError as error:
        raise CliError(f"cannot be read: {error.strerror}", file, "name a file that exists", UNREACHABLE) from error
    except ValueError as error:
        raise CliError(f"not JSON: {error}", file, "correct that place", USAGE) from error
