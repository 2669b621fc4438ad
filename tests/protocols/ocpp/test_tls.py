"""Security profile 2: TLS with a certificate that the station can verify, and Basic authentication inside."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError
from websockets.exceptions import InvalidStatus

from protocols.ocpp.adapter import OcppAdapter
from protocols.ocpp.settings import Listener
from tests.protocols.ocpp.conftest import settings
from tests.protocols.ocpp.peer import Peer, basic
from tests.protocols.ports import World


def certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hub")])
    now = datetime.now(UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "hub.pem", folder / "hub.key"
    cert_file.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, pkcs8, plain))
    return cert_file, key_file


async def test_a_station_comes_in_over_tls_with_its_password(world: World, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    world.tls.contexts["stations"] = server
    adapter = OcppAdapter(settings(listeners=(Listener(port=0, tls="stations"),)))
    await adapter.start(world.ports)
    trust = ssl.create_default_context(cafile=str(cert))
    for version in ("ocpp2.0.1", "ocpp1.6"):
        peer = await Peer.open(adapter.health().listening[0], "CP1", version=version, ssl=trust)
        assert (await peer.boot())["status"] == "Accepted"
        await peer.close()
    with pytest.raises(InvalidStatus):
        await Peer.open(adapter.health().listening[0], "CP1", ssl=trust, headers=basic("CP1", b"wrong"))
    with pytest.raises(ssl.SSLError):
        await Peer.open(adapter.health().listening[0], "CP1", ssl=ssl.create_default_context())
    await adapter.stop()


async def test_a_listener_whose_tls_settings_are_missing_does_not_start(world: World) -> None:
    adapter = OcppAdapter(settings(listeners=(Listener(port=0, tls="nowhere"),)))
    with pytest.raises(ValueError, match="nowhere"):
        await adapter.start(world.ports)
    assert adapter.health().listening == ()


@pytest.mark.parametrize(
    "bad",
    [
        {"host": "0.0.0.0", "plain": True, "security_profile": 1},
        {"host": "127.0.0.1"},
        {"tls": "x", "security_profile": 1},
        {"host": "127.0.0.1", "plain": True},
    ],
)
def test_plain_is_allowed_only_on_loopback_and_only_when_said_so(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="next: "):
        Listener.model_validate(bad)
