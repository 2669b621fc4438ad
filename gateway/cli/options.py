"""Options that many verbs share: which hub, which output."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

from gateway.cli.errors import UNREACHABLE, CliError

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound=click.Command)
DEMO = Path("var/demo")
FILE = click.Path(path_type=Path, readable=False)
"""A path; who reads it says what is wrong with it, and what to do."""


def hub_options(command: Callable[..., R]) -> Callable[..., R]:
    """`--data`, `--config`, `--url`, `--token-file`: which hub is meant; the verb gets them as one `where`."""

    @click.option(
        "--data",
        type=FILE,
        help="Data folder of the hub (else BUSBAR_DATA, the configuration's, ./var/demo).",
    )
    @click.option("--config", type=FILE, help="The hub's configuration, for its data folder.")
    @click.option("--url", help="A hub elsewhere, e.g. https://hub.example:8443.")
    @click.option("--token-file", type=FILE, help="File with the token for that hub.")
    @click.option("--ca", type=FILE, help="PEM file of the root that the hub's certificate follows from.")
    @functools.wraps(command)
    def wrapped(*args: Any, **options: Any) -> R:
        from gateway.cli.client import Where

        names = ("data", "config", "url", "token_file", "ca")
        where = Where(**{name: options.pop(name) for name in names})
        return command(*args, where=where, **options)

    return wrapped


def examples(*lines: str) -> Callable[[C], C]:
    """Lines to copy, shown under a verb's options; a test parses each of them."""

    def with_them(command: C) -> C:
        command.epilog = "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))
        return command

    return with_them


def json_option(command: Callable[P, R]) -> Callable[P, R]:
    """`--json`: the data as it came, for programs."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def typed(read: Callable[[str], R]) -> Callable[[str], R]:
    """A value as `read` reads it; what that says is wrong ends as wrong usage."""

    def convert(text: str) -> R:
        try:
            return read(text)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    return convert


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, sort_keys=False))


def data_folder(data: Path | None, config: Path | None) -> Path:
    """The data folder meant: the option, BUSBAR_DATA, the configuration's, ./var/demo.

    Raises:
        CliError: none of them is given or there.
    """
    if data is not None:
        return data
    if os.environ.get("BUSBAR_DATA"):
        return Path(os.environ["BUSBAR_DATA"])
    if config is not None:
        found: Path = load_settings(config).data
        return found
    if DEMO.is_dir():
        return DEMO
    raise CliError("no hub is named", "no --data, BUSBAR_DATA, --config or ./var/demo", "name one of them", UNREACHABLE)


def load_settings(config: Path) -> Any:
    """The settings in that file.

    Raises:
        CliError: with one line per problem.
    """
    from gateway.cli.errors import Many
    from gateway.settings import SettingsError, load

    try:
        return load(config, os.environ)
    except SettingsError as error:
        raise Many([asdict(problem) for problem in error.problems]) from error
