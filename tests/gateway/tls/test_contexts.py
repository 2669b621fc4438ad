"""TLS contexts: at least 1.2, swapped while a socket stays open, and errors that say which file."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.settings import TlsContext
from gateway.tls import TlsContexts, TlsUnusable
from pki.folder import Folder, initialise


def folder(path: Path) -> Folder:
    return initialise(path, ("localhost",), datetime.now(UTC))


def declared(made: Folder, **more: Path) -> TlsContext:
    return TlsContext(name="hub", certificate=made.certificate, key=made.key, **more)


@asynccontextmanager
async def echo(context: ssl.SSLContext | None) -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]
        server.close()


async def opened(port: int, root: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    client = ssl.create_default_context(cafile=str(root))
    return await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname="localhost")


async def echoed(pair: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> bytes:
    pair[1].write(b"hello\n")
    return await pair[0].readline()


async def test_new_certificates_are_used_by_new_connections_while_the_open_one_goes_on(tmp_path: Path) -> None:
    old, new = folder(tmp_path / "old"), folder(tmp_path / "new")
    contexts = TlsContexts([declared(old)])
    async with echo(contexts.server("hub")) as port:
        first = await opened(port, old.root)
        assert contexts.reload([declared(new)]) == ("hub",)
        second = await opened(port, new.root)
        assert [await echoed(first), await echoed(second)] == [b"hello\n"] * 2
        with pytest.raises(ssl.SSLCertVerificationError):
            await opened(port, old.root)
        first[1].close()
        second[1].close()


async def test_a_bad_file_changes_nothing(tmp_path: Path) -> None:
    good, other = folder(tmp_path / "good"), folder(tmp_path / "other")
    contexts = TlsContexts([declared(good)])
    with pytest.raises(TlsUnusable, match=r"hub.*next: PEM files"):
        contexts.reload([TlsContext(name="hub", certificate=good.certificate, key=other.key)])
    async with echo(contexts.server("hub")) as port:
        pair = await opened(port, good.root)
        assert await echoed(pair) == b"hello\n"
        pair[1].close()


async def test_a_client_below_tls_1_2_is_refused(tmp_path: Path) -> None:
    made = folder(tmp_path)
    context = TlsContexts([declared(made)]).server("hub")
    assert context is not None
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    client = ssl.create_default_context(cafile=str(made.root))
    client.set_ciphers("ECDHE-ECDSA-AES128-SHA")
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    async with echo(context) as port:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname="localhost")


def test_roots_make_client_certificates_required(tmp_path: Path) -> None:
    made = folder(tmp_path)
    context = TlsContexts([declared(made, client_roots=made.root)]).server("hub")
    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TlsUnusable, match=r"no file .*nowhere\.pem"):
        TlsContexts([TlsContext(name="hub", certificate=tmp_path / "nowhere.pem", key=tmp_path / "nowhere.key")])


def test_a_context_that_nobody_declared_is_named_and_no_name_is_plain(tmp_path: Path) -> None:
    contexts = TlsContexts([declared(folder(tmp_path))])
    assert contexts.server("") is None
    with pytest.raises(TlsUnusable, match=r"`public`.*declared: hub"):
        contexts.server("public")


def test_until_when_certificates_are_valid_is_read_from_their_files(tmp_path: Path) -> None:
    made = folder(tmp_path)
    contexts = TlsContexts([declared(made)])
    [until] = contexts.ends().values()
    assert until == made.valid_until
    made.certificate.unlink()
    assert contexts.ends() == {}
