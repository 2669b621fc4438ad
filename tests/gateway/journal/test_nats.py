"""The NATS store passes the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.journal.auth import Credentials
from gateway.journal.limits import Limits
from gateway.journal.nats_log import NatsLog
from gateway.journal.server import EmbeddedServer
from tests.gateway.journal.contract import JournalContract

MB = 1024 * 1024
CREDENTIALS = Credentials("busbar", "secret")


class TestNatsLog(JournalContract):
    """See `JournalContract`."""

    @pytest.fixture
    async def server(self, tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
        server = EmbeddedServer(tmp_path, "depot", CREDENTIALS, max_file=256 * MB)
        await server.start()
        yield server
        await server.stop()

    @pytest.fixture
    async def log(self, server: EmbeddedServer, observed: list[float]) -> AsyncIterator[NatsLog]:
        log = await NatsLog.connect(
            server.url,
            user="busbar",
            password="secret",
            limits=Limits(journal=64 * MB, content=MB, refused=MB, live=MB),
            core="1.2.3",
            observe=observed.append,
        )
        yield log
        await log.close()

    @pytest.fixture
    async def small(self, server: EmbeddedServer) -> AsyncIterator[NatsLog]:
        log = await NatsLog.connect(
            server.url, user="busbar", password="secret", limits=Limits(200_000, content=200_000, refused=MB, live=MB)
        )
        yield log
        await log.close()
