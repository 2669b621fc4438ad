"""The high-water mark is written while the hub runs, not only when it stops."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.journal import highwater
from gateway.journal.highwater import HighWater, Mark
from gateway.journal.log import Damaged
from tests.waiting import until


async def test_the_mark_is_written_while_records_are_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(highwater, "EVERY_S", 0.01)
    file = tmp_path / "high_water"
    mark = HighWater(file, Mark())
    mark.note("j.a.ctl", 1, "one")
    mark.note("j.a.gw-1", 2, "two")
    await until(file.exists)
    assert highwater.load(file) == Mark(2, "two", {"j.a.ctl": (1, "one"), "j.a.gw-1": (2, "two")})
    mark.note("j.a.ctl", 3, "three")
    await mark.close()
    assert highwater.load(file) == Mark(3, "three", {"j.a.ctl": (3, "three"), "j.a.gw-1": (2, "two")})


async def test_answers_out_of_order_do_not_lower_the_mark(tmp_path: Path) -> None:
    mark = HighWater(tmp_path / "high_water", Mark(5, "five", {"j.a.ctl": (5, "five")}))
    mark.note("j.a.gw-1", 4, "four")
    await mark.close()
    assert highwater.load(tmp_path / "high_water") == Mark(5, "five", {"j.a.ctl": (5, "five"), "j.a.gw-1": (4, "four")})


@pytest.mark.parametrize("content", ["", "[]", '{"seq": 1}', '{"seq": 1, "hash": "x", "ends": {"j": 3}}'])
def test_what_is_no_mark_is_damage(tmp_path: Path, content: str) -> None:
    (tmp_path / "high_water").write_text(content)
    with pytest.raises(Damaged, match="next:"):
        highwater.load(tmp_path / "high_water")


def test_no_file_is_no_mark(tmp_path: Path) -> None:
    assert highwater.load(tmp_path / "high_water") is None
