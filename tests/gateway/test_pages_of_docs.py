"""The written pages: links lead somewhere, commands exist with their options, TOML holds known keys, examples of the help can be typed."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from pydantic import BaseModel

from core.messages.reasons import REASONS
from gateway.cli.main import VERBS, busbar
from gateway.docs.commands import command_lines
from gateway.docs.settings import inside
from gateway.metrics import METRICS
from gateway.registry import find
from gateway.settings.models import HubSettings

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:\./run|busbar) [^`]+)`")


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def root() -> click.Context:
    return click.Context(busbar, info_name="busbar")


def leaves(command: click.Command, context: click.Context, name: str = "busbar") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, with its words."""
    if not isinstance(command, click.Group):
        yield name, command
        return
    for inner in command.list_commands(context):
        found = command.get_command(context, inner)
        assert found is not None
        yield from leaves(found, context, f"{name} {inner}")


LEAVES = dict(leaves(busbar, root()))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_to_a_file_of_the_repository(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [link for link in LINK.findall(text) if not (page.parent / link).exists()] == []


def test_the_index_leads_to_every_page() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / link).resolve() for link in LINK.findall(index.read_text(encoding="utf-8"))}
    assert [named(p) for p in PAGES if p not in {ROOT / "README.md", index} and p.resolve() not in linked] == []


def commands_in(text: str) -> Iterator[str]:
    """Every line or word of a page that says `busbar ...` or `./run ...`."""
    for _, block in BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            said = re.search(r"(?:^|\s|/)(busbar [a-z][^#&|<>]*)|^\s*(\./run [a-z][^#&|<>]*)", line)
            if said:
                yield (said[1] or said[2]).strip()
    yield from INLINE.findall(BLOCK.sub("", text))


def unknown_in(said: str) -> str | None:
    """What of a command line does not exist; placeholders are in capitals and may stand anywhere."""
    words = shlex.split(said.replace("|", " "))[1:]
    if (words[0] in {"test", "bench", "VERB"} and said.startswith("./run")) or words[0].isupper():
        return None
    command: click.Command = busbar
    while words and isinstance(command, click.Group) and not words[0].startswith(("-", "[")):
        found = command.get_command(root(), words[0])
        if found is None:
            return words[0]
        command, words = found, words[1:]
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    known |= {"--help", "-h"} | ({"--version"} if command is busbar else set())
    return next((word for word in words if word.startswith("--") and word.split("=")[0] not in known), None)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_that_a_page_names_exists_with_its_options(page: Path) -> None:
    found = {said: unknown_in(said) for said in commands_in(page.read_text(encoding="utf-8"))}
    assert {said: word for said, word in found.items() if word} == {}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_block_of_toml_holds_keys_that_the_settings_know(page: Path) -> None:
    for language, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language == "toml":
            assert list(strangers(tomllib.loads(text))) == []


def strangers(told: dict[str, Any], model: type[BaseModel] = HubSettings) -> Iterator[str]:
    """Keys, at any depth, that the model at that place does not have."""
    for key, value in told.items():
        if key not in model.model_fields:
            yield key
            continue
        inner, _ = inside(model.model_fields[key].annotation)
        rows = value if isinstance(value, list) else [value]
        for row in rows if inner is not None else ():
            yield from strangers(row, inner) if isinstance(row, dict) else ()
        for name, table in value.items() if model is HubSettings and key == "adapters" else ():
            yield from strangers(table, find(name).Settings)


@pytest.mark.parametrize("name", sorted(LEAVES))
def test_the_help_of_every_command_has_examples_that_can_be_typed(name: str) -> None:
    lines = command_lines(LEAVES[name])
    assert lines, f"{name} has no example; next: @examples(...)"
    assert any(line.startswith(name) for line in lines)
    for line in lines:
        typed = re.split(r" [<>|] ", line)[0]
        words = shlex.split(typed)
        path = next(p for p in sorted(LEAVES, key=len, reverse=True) if typed.startswith(p))
        LEAVES[path].make_context(path, words[len(path.split()) :]).close()


def test_every_verb_metric_and_reason_stands_in_the_reference() -> None:
    page = {name: (ROOT / "docs" / "reference" / f"{name}.md").read_text(encoding="utf-8") for name in TABLES}
    assert [verb for verb in VERBS if f"## `busbar {verb}`" not in page["commands"]] == []
    assert [metric.exposed for metric in METRICS if f"`{metric.exposed}`" not in page["metrics"]] == []
    assert [code for code in REASONS if f"| `{code}` |" not in page["reasons"]] == []


TABLES = ("commands", "metrics", "reasons")
