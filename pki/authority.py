"""A small certificate authority: one root and the server certificates that stations check (OCPP 2.0.1 A00, profile 2)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_HOST = re.compile(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
SKEW = timedelta(minutes=5)
"""Certificates begin so long before they are made: a station's clock may be behind."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        """The certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key as unencrypted PKCS#8 PEM; keep it in a file of mode 0600."""
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, in hex, as people compare it."""
        return self.certificate.fingerprint(hashes.SHA256()).hex(":")


def root(name: str, now: datetime, valid: timedelta) -> Credential:
    """A new self-signed root (ECDSA P-256, SHA-256) that may sign server certificates directly.

    Args:
        name: its common name, as stations list it.
        now: the present moment, aware; validity begins `SKEW` before it.
        valid: how long it is valid from `now`.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(name)
    builder = _builder(subject, subject, key.public_key(), now, valid)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
    builder = builder.add_extension(_usage(ca=True), critical=True)
    return Credential(builder.sign(key, hashes.SHA256()), key)


def server(issuer: Credential, names: Sequence[str], now: datetime, valid: timedelta) -> Credential:
    """A server certificate for `names` (host names and addresses), signed by `issuer`; it never outlives it.

    The first name is also the common name, because OCPP stations may compare that one (A00.FR.315).

    Raises:
        ValueError: no name, or the issuer is no authority.
    """
    if not names:
        raise ValueError("a server certificate needs at least one host name or address")
    constraints = issuer.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    if not constraints.ca:
        raise ValueError("the issuer's certificate is not an authority's")
    key = ec.generate_private_key(ec.SECP256R1())
    left = issuer.certificate.not_valid_after_utc - now
    builder = _builder(_subject(names[0]), issuer.certificate.subject, key.public_key(), now, min(valid, left))
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(ca=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(n) for n in names]), critical=False)
    above = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    identifier = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(above)
    builder = builder.add_extension(identifier, critical=False)
    return Credential(builder.sign(issuer.key, hashes.SHA256()), key)


def load(certificate_pem: bytes, key_pem: bytes) -> Credential:
    """A credential from its two PEM texts.

    Raises:
        ValueError: not PEM, not an elliptic-curve key, or the two do not belong together.
    """
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    key = serialization.load_pem_private_key(key_pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise ValueError("the key is not the elliptic-curve key of this certificate")
    return Credential(certificate, key)


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, valid: timedelta
) -> x509.CertificateBuilder:
    """What every certificate has: a random serial number (RFC 5280 4.1.2.2), validity, subject key identifier."""
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - SKEW).not_valid_after(now + valid)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,  # because: RFC 8813 forbids it on an elliptic-curve key
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        if _HOST.fullmatch(name) is None:
            raise ValueError(f"`{name}` is no host name") from None
        return x509.DNSName(name)
