"""Secrets: references resolve, what is put is durable and private, and no name leaves the folder."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.secrets import FileSecrets


def test_what_was_put_is_there_after_a_restart_in_a_file_for_one_user(tmp_path: Path) -> None:
    FileSecrets(tmp_path).put("oscp/dso", b"\x00 secret\n")
    assert FileSecrets(tmp_path).get("data:oscp/dso") == b"\x00 secret\n"
    (file,) = (tmp_path / "secrets").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_file_reference_is_relative_to_the_settings_and_loses_one_line_break(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc\n\n")
    assert FileSecrets(tmp_path / "data", base=tmp_path).get("file:token") == b"abc\n"


def test_an_environment_reference_reads_the_environment(tmp_path: Path) -> None:
    secrets = FileSecrets(tmp_path, env={"DSO": "abc"})
    assert secrets.get("env:DSO") == b"abc"
    assert secrets.get("env:OTHER") is None


def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    secrets = FileSecrets(tmp_path, base=tmp_path)
    assert [secrets.get(ref) for ref in ("nobody", "data:nobody", "file:nobody", "file:.")] == [None] * 4


def test_an_alias_leads_a_stations_password_to_where_the_operator_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "cp").write_text("typed-by-hand")
    secrets = FileSecrets(tmp_path / "data", base=tmp_path, aliases={"station/CP-01": "file:cp"})
    assert secrets.get("station/CP-01") == b"typed-by-hand"
    with pytest.raises(ValueError, match="only `data:`"):
        secrets.put("station/CP-01", b"x")


def test_a_generated_secret_is_made_once_and_fits_the_smallest_charger(tmp_path: Path) -> None:
    made = FileSecrets(tmp_path).generate("station/CP-01")
    assert 16 <= len(made) <= 20
    assert made.isalnum()
    assert FileSecrets(tmp_path).generate("station/CP-01") == made


def test_a_failed_write_leaves_the_old_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = FileSecrets(tmp_path)
    secrets.put("a", b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        secrets.put("a", b"new")
    assert secrets.get("a") == b"old"
    assert len(list((tmp_path / "secrets").iterdir())) == 1


def test_a_program_can_be_told_in_which_file_a_secret_stands(tmp_path: Path) -> None:
    secrets = FileSecrets(tmp_path, base=Path("/etc/busbar"))
    secrets.put("cli", b"x")
    path = secrets.path("cli")
    assert path is not None
    assert path.read_bytes() == b"x"
    assert secrets.path("file:token") == Path("/etc/busbar/token")
    assert secrets.path("env:X") is None


def test_a_deleted_secret_is_gone(tmp_path: Path) -> None:
    secrets = FileSecrets(tmp_path)
    secrets.put("a", b"x")
    secrets.delete("a")
    secrets.delete("a")
    assert secrets.get("a") is None


@given(names=st.lists(st.text(min_size=1, max_size=40), min_size=2, max_size=2, unique=True))
def test_no_name_leaves_the_folder_and_no_two_names_meet(
    names: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    secrets = FileSecrets(tmp_path_factory.getbasetemp())
    first, second = (secrets._path(name) for name in names)
    assert first.parent == second.parent == tmp_path_factory.getbasetemp() / "secrets"
    assert first != second
    assert first.name not in {".", ".."}
