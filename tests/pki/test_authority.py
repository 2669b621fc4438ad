"""The authority's certificates, judged by a real TLS handshake and by their files."""

from __future__ import annotations

import asyncio
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from pki import authority
from pki.folder import AlreadyThere, Folder, initialise

NOW = datetime.now(UTC).replace(microsecond=0)
YEAR = timedelta(days=365)


def made(tmp_path: Path, *names: str) -> Folder:
    return initialise(tmp_path / "pki", names or ("localhost", "127.0.0.1"), NOW)


async def handshake(folder: Folder, client: ssl.SSLContext, name: str) -> str:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder.certificate, folder.key)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server)
    port = listener.sockets[0].getsockname()[1]
    async with listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname=name)
        told = await reader.read()
        writer.close()
        return told.decode()


async def test_a_station_that_knows_the_root_accepts_the_server_by_name_and_by_address(tmp_path: Path) -> None:
    folder = made(tmp_path)
    client = ssl.create_default_context(cafile=str(folder.root))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    assert await handshake(folder, client, "localhost") == "hello"
    assert await handshake(folder, client, "127.0.0.1") == "hello"


async def test_a_station_that_asks_for_another_name_refuses_it(tmp_path: Path) -> None:
    folder = made(tmp_path)
    client = ssl.create_default_context(cafile=str(folder.root))
    with pytest.raises(ssl.SSLCertVerificationError, match=r"not valid for 'hub\.example'"):
        await handshake(folder, client, "hub.example")


async def test_a_station_that_knows_another_root_refuses_it(tmp_path: Path) -> None:
    folder = made(tmp_path)
    other = initialise(tmp_path / "other", ("localhost",), NOW)
    with pytest.raises(ssl.SSLCertVerificationError):
        await handshake(folder, ssl.create_default_context(cafile=str(other.root)), "localhost")


def test_keys_are_for_one_user_alone_and_certificates_for_all(tmp_path: Path) -> None:
    folder = made(tmp_path)
    modes = [stat.S_IMODE(p.stat().st_mode) for p in (folder.root_key, folder.key, folder.root, folder.certificate)]
    assert modes[:2] == [0o600, 0o600]
    assert all(mode & 0o077 == 0o044 for mode in modes[2:])


def test_a_second_run_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    folder = made(tmp_path)
    before = folder.root.read_bytes()
    folder.key.unlink()
    with pytest.raises(AlreadyThere, match=r"root\.pem"):
        made(tmp_path)
    assert folder.root.read_bytes() == before
    assert not folder.key.exists()


def test_a_server_certificate_never_outlives_its_root() -> None:
    top = authority.root("Root", NOW, timedelta(days=10))
    leaf = authority.server(top, ["hub.example"], NOW, YEAR)
    assert leaf.certificate.not_valid_after_utc == top.certificate.not_valid_after_utc


def test_validity_begins_before_now_because_a_stations_clock_may_be_behind() -> None:
    top = authority.root("Root", NOW, YEAR)
    assert top.certificate.not_valid_before_utc == NOW - timedelta(minutes=5)


def test_a_server_certificate_says_what_it_is_for() -> None:
    top = authority.root("Root", NOW, YEAR)
    leaf = authority.server(top, ["hub.example", "10.0.0.7"], NOW, YEAR).certificate
    leaf.verify_directly_issued_by(top.certificate)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["hub.example"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.7"]
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert not (usage.key_encipherment or usage.key_cert_sign)
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_server_certificate_cannot_issue_another() -> None:
    top = authority.root("Root", NOW, YEAR)
    leaf = authority.server(top, ["hub.example"], NOW, YEAR)
    with pytest.raises(ValueError, match="not an authority"):
        authority.server(leaf, ["other.example"], NOW, YEAR)


def test_a_server_certificate_needs_a_name() -> None:
    with pytest.raises(ValueError, match="at least one"):
        authority.server(authority.root("Root", NOW, YEAR), [], NOW, YEAR)


@pytest.mark.parametrize("name", ["bad name!", "https://hub.example", "hub..example"])
def test_a_server_certificate_is_not_made_for_what_is_no_host_name(name: str) -> None:
    with pytest.raises(ValueError, match="no host name"):
        authority.server(authority.root("Root", NOW, YEAR), [name], NOW, YEAR)


def test_a_credential_is_read_back_only_with_its_own_key() -> None:
    top, other = authority.root("Root", NOW, YEAR), authority.root("Other", NOW, YEAR)
    assert authority.load(top.certificate_pem, top.key_pem).fingerprint == top.fingerprint
    with pytest.raises(ValueError, match="not the elliptic-curve key"):
        authority.load(top.certificate_pem, other.key_pem)
