"""The command reference, from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator

import click

from gateway.cli.main import VERBS, busbar
from gateway.docs.text import page as make_page
from gateway.docs.text import table


def page() -> str:
    """Every verb with its arguments and options."""
    head = (
        "Exit codes: 0 done, 1 the answer is no, 2 wrong usage or configuration, 3 a peer or file could not be reached. Errors stand on "
        "stderr as *what (where); next: what to do*. Read verbs ask the running hub (`<data>/hub.json`); if none runs they open the data "
        "folder themselves and append nothing. Which hub: `--url` and `--token-file`, else the data folder of `--data`, `BUSBAR_DATA`, "
        "`--config`, `./var/demo`, in this order."
    )
    context = click.Context(busbar, info_name="busbar")
    found = ((name, busbar.get_command(context, name)) for name in VERBS)
    parts = [part for name, command in found if command for part in _command(f"busbar {name}", command)]
    return make_page("Commands", head, *parts)


def _command(name: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=name)
    usage = " ".join(command.collect_usage_pieces(context))
    text = " ".join((command.help or "").split())
    rows = [_option(p, context) for p in command.params if isinstance(p, click.Option)]
    options = table(("option", "meaning"), rows) if rows else ""
    lines = command_lines(command)
    shown = "\n".join(("```sh", *lines, "```")) if lines else ""
    yield "\n\n".join(p for p in (f"## `{name}`", f"`{name} {usage}`", text, shown, options) if p)
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            if found is not None:
                yield from _command(f"{name} {inner}", found)


def command_lines(command: click.Command) -> list[str]:
    """The examples that stand in its help."""
    return [line.strip() for line in (command.epilog or "").splitlines() if line.strip().startswith("busbar ")]


def _option(option: click.Option, context: click.Context) -> tuple[str, str]:
    record = option.get_help_record(context)
    return (f"`{record[0]}`", record[1]) if record else (f"`{option.opts[0]}`", "")
