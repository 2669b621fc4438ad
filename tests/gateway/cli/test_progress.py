"""Progress stands on a terminal only, and leaves nothing behind."""

from __future__ import annotations

import io
import time

import pytest

from gateway.cli import progress
from gateway.cli.progress import working
from tests.waiting import GENEROUS_S


class Screen(io.StringIO):
    """A stream that says whether it is a terminal."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SOON_S", 0.01)
    monkeypatch.setattr(progress, "EVERY_S", 0.01)


def test_a_terminal_is_told_what_takes_long_and_the_line_is_gone_at_the_end() -> None:
    screen = Screen(terminal=True)
    with working("replay of the journal", screen):
        end = time.monotonic() + GENEROUS_S
        while "replay of the journal ... 0 s" not in screen.getvalue() and time.monotonic() < end:
            time.sleep(0.005)
    assert "replay of the journal ... 0 s" in screen.getvalue()
    assert screen.getvalue().endswith("\r\x1b[K")


def test_a_pipe_is_told_nothing() -> None:
    pipe = Screen(terminal=False)
    with working("replay of the journal", pipe):
        time.sleep(0.05)
    assert pipe.getvalue() == ""


def test_the_line_is_gone_also_after_an_error() -> None:
    screen = Screen(terminal=True)
    with pytest.raises(ValueError, match="no"), working("import", screen):
        while not screen.getvalue():
            time.sleep(0.005)
        raise ValueError("no")
    assert screen.getvalue().endswith("\r\x1b[K")
