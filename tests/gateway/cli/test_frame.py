"""The command's frame: fast help, exit codes, and errors that say what, where and what to do next."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.errors import CliError
from gateway.cli.main import VERBS, busbar
from tests.gateway.cli.conftest import Cli

BUSBAR = [sys.executable, "-m", "gateway.cli.main"]


def test_help_is_fast_because_no_verb_is_imported() -> None:
    """Measured as processor time, so that a busy machine does not judge."""

    def spent() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    begun = spent()
    done = subprocess.run([*BUSBAR, "--help"], capture_output=True, text=True, check=True)
    assert spent() - begun < 0.3
    assert all(verb in done.stdout for verb in VERBS)


def test_help_imports_no_heavy_package() -> None:
    heavy = "{'pydantic', 'aiohttp', 'cryptography', 'ortools', 'sqlalchemy', 'nats'}"
    code = f"import sys; from gateway.cli.main import run; run(['--help']); sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("verb", sorted(VERBS))
async def test_every_verb_has_help_and_every_option_a_meaning(cli: Cli, verb: str) -> None:
    ended = await cli(verb, "--help")
    assert (ended.code, ended.err) == (0, "")
    import click

    command = busbar.get_command(click.Context(busbar), verb)
    assert command is not None
    assert command.help
    assert [p.name for p in command.params if isinstance(p, click.Option) and not p.help] == []


@pytest.mark.parametrize("arguments", [("nonsense",), ("stations", "--nonsense"), ("limit", "CP-01")])
async def test_wrong_usage_is_exit_2(cli: Cli, arguments: tuple[str, ...]) -> None:
    ended = await cli(*arguments)
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith("busbar: ")
    assert ended.err.endswith("--help\n")


async def test_a_mistyped_verb_is_answered_with_the_nearest(cli: Cli) -> None:
    assert "did you mean `vehicles`?" in (await cli("vehicels")).err


async def test_an_error_says_what_where_and_what_to_do_next(cli: Cli, tmp_path: Path) -> None:
    ended = await cli("stations", "--data", tmp_path / "nowhere")
    assert ended.code == 3
    assert ended.err.startswith("busbar: no hub runs")
    assert str(tmp_path / "nowhere") in ended.err
    assert "; next: " in ended.err


async def test_a_verb_without_any_hub_named_says_how_to_name_one(cli: Cli) -> None:
    ended = await cli("vehicles")
    assert ended.code == 3
    assert "BUSBAR_DATA" in ended.err


async def test_a_group_without_its_verb_shows_its_help_as_it_is(cli: Cli) -> None:
    ended = await cli("departure")
    assert ended.code == 2
    assert ended.err.startswith("Usage: busbar departure") and "\nCommands:\n" in ended.err


def test_an_errors_own_next_step_is_said_instead_of_the_general_one() -> None:
    error = CliError("the journal is damaged: record 7; next: restore it", "data", "see `busbar doctor`")
    assert str(error) == "busbar: the journal is damaged: record 7 (data); next: restore it"
