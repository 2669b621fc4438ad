"""What is shipped: a source distribution, and from it a wheel that holds everything the checkout's packages need."""

from __future__ import annotations

import email
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("core", "protocols", "pki", "gateway", "simulators")
SHIPPED = (*PACKAGES, "deploy", "docs", "examples")
BUILD = "import setuptools.build_meta as backend, sys; print(getattr(backend, sys.argv[1])(sys.argv[2]))"


def build(kind: str, source: Path, into: Path) -> Path:
    """Call the build backend as a front end does, without a network."""
    command = [sys.executable, "-c", BUILD, f"build_{kind}", str(into)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return into / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built from the source distribution of a copy of this checkout."""
    folder = tmp_path_factory.mktemp("packaging")
    source = folder / "checkout"
    for name in SHIPPED:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ROOT.iterdir():
        if file.is_file():
            shutil.copy(file, source)
    shutil.unpack_archive(build("sdist", source, folder), folder / "unpacked")
    (unpacked,) = (folder / "unpacked").iterdir()
    return zipfile.ZipFile(build("wheel", unpacked, folder))


def test_the_wheel_holds_every_file_of_the_packages(wheel: zipfile.ZipFile) -> None:
    there = set(wheel.namelist())
    wanted = {
        str(file.relative_to(ROOT))
        for name in PACKAGES
        for file in (ROOT / name).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".md"
    }
    assert wanted - there == set()
    assert all(f"{name}/py.typed" in there for name in PACKAGES)
    assert {name.partition("/")[0] for name in there if "dist-info" not in name} == set(PACKAGES)


def test_the_scenario_of_the_demo_is_in_the_wheel_and_stands_in_the_checkout_once(wheel: zipfile.ZipFile) -> None:
    for file in (ROOT / "examples" / "bus-142").iterdir():
        assert wheel.read(f"simulators/scenarios/bus-142/{file.name}") == file.read_bytes()
    assert not (ROOT / "simulators" / "scenarios").exists()


def test_the_metadata_says_what_it_is_and_what_it_needs(wheel: zipfile.ZipFile) -> None:
    info = next(name for name in wheel.namelist() if name.endswith("METADATA"))
    metadata = email.message_from_bytes(wheel.read(info))
    assert (metadata["Name"], metadata["License-Expression"]) == ("busbar-hub", "Apache-2.0")
    assert metadata["Requires-Python"] == ">=3.11"
    points = wheel.read(info.replace("METADATA", "entry_points.txt")).decode()
    assert "busbar = gateway.cli.main:main" in points
    assert "[busbar.adapters]" in points


def test_an_installed_demo_finds_its_scenario_in_an_empty_folder(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path / "site")
    (tmp_path / "empty").mkdir()
    code = "from gateway.cli.demo import find; print(*find(None), sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path / "empty",
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=True,
    )
    folder = tmp_path / "site" / "simulators" / "scenarios" / "bus-142"
    assert done.stdout.splitlines() == [str(folder), str(folder / "scenario.toml")]


def test_every_package_that_build_hub_or_developers_need_has_an_exact_version_in_the_constraints() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    stated = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    stated += [r for extra in project["project"]["optional-dependencies"].values() for r in extra]
    pinned = {name(line) for line in constraints()}
    needed, known = [name(requirement) for requirement in stated], set[str]()
    while needed:
        package = needed.pop()
        if package not in known:
            known.add(package)
            needed += [name(requirement) for requirement in _requires(package)]
    assert known - pinned == set()
    assert [line for line in constraints() if "==" not in line] == []


def test_every_dependency_is_told_with_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    stated = [*project["dependencies"], *(r for extra in project["optional-dependencies"].values() for r in extra)]
    assert sorted({name(r) for r in stated} - set(re.findall(r"`([a-z0-9-]+)`", page))) == []


def constraints() -> list[str]:
    return (ROOT / "constraints.txt").read_text().splitlines()


def name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return found[0].lower().replace("_", "-")


def _requires(package: str) -> list[str]:
    """What a package that is installed needs here: no extras, no other systems or versions."""
    try:
        return [r for r in requires(package) or [] if ";" not in r]
    except PackageNotFoundError:
        return []
