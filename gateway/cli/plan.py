"""`plan`: the allocation as a what-if, without a hub."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from gateway.cli.errors import NO, UNREACHABLE, USAGE, CliError
from gateway.cli.options import print_json


@click.command()
@click.argument("file", metavar="FILE")
def plan(file: str) -> None:
    """Problem in (JSON; - is stdin), allocation with outcomes and reasons out (JSON). Exit 1 if somebody is not served."""
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
    print_json(result)
    if isinstance(result, dict) and result.get("missed"):
        raise click.exceptions.Exit(NO)


def _read(file: str) -> Any:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        return json.loads(text)
    except OSError as error:
        raise CliError(f"cannot be read: {error.strerror}", file, "name a file that exists", UNREACHABLE) from error
    except ValueError as error:
        raise CliError(f"not JSON: {error}", file, "correct that place", USAGE) from error
