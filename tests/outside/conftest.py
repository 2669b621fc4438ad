"""A hub that serves, shared by the tests of one file: each test has its own station, or leaves things as it found them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.outside.depot import Depot, make_pki


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates that every depot of this session may copy."""
    return make_pki(tmp_path_factory.mktemp("pki") / "pki")


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, pki: Path) -> Iterator[Depot]:
    """A depot whose hub was told to start."""
    depot = Depot(tmp_path_factory.mktemp("depot")).set_up(pki).start()
    yield depot
    assert depot.end() == 0, depot.said()


@pytest.fixture
async def depot(started: Depot) -> Depot:
    """A depot whose hub serves."""
    return await started.ready()


@pytest.fixture
def folder(tmp_path: Path, pki: Path) -> Iterator[Depot]:
    """A depot of this test alone, set up, not started."""
    depot = Depot(tmp_path).set_up(pki)
    yield depot
    depot.end()
