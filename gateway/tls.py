"""TLS contexts, made in one place: at least TLS 1.2, and certificates that change while sockets stay open."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from cryptography import x509

from gateway.settings.models import TlsContext

CIPHERS = ":".join(
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES256-GCM-SHA384",
    )
)
"""TLS 1.2 suites: forward secrecy and AEAD only (OCPP 2.0.1 A00.FR.318 without its static RSA suites)."""


class TlsUnusable(ValueError):
    """A certificate, key or root file cannot be used; the message says which and what to do."""


def server_context(declared: TlsContext) -> ssl.SSLContext:
    """A server context from its files.

    Raises:
        TlsUnusable: a file is missing, is not PEM, or certificate and key do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION
    _load(context, declared)
    return context


def _load(context: ssl.SSLContext, declared: TlsContext) -> None:
    try:
        context.load_cert_chain(declared.certificate, declared.key)
        if declared.client_roots is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cafile=declared.client_roots)
    except FileNotFoundError as error:
        missing = [str(p) for p in _files(declared) if not p.is_file()]
        raise TlsUnusable(
            f"tls `{declared.name}`: no file {', '.join(missing)}; next: `busbar pki init DIR`, or correct the path"
        ) from error
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or error.strerror or str(error)
        raise TlsUnusable(
            f"tls `{declared.name}`: {reason}; next: PEM files, and a key that belongs to the first certificate"
        ) from error


def ends(declared: TlsContext) -> datetime:
    """Until when the certificate that a context names is valid.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds no certificate.
    """
    with warnings.catch_warnings(action="ignore"):  # because: what is odd in it is the authority's, not ours
        return x509.load_pem_x509_certificates(declared.certificate.read_bytes())[0].not_valid_after_utc


def _files(declared: TlsContext) -> list[Path]:
    return [p for p in (declared.certificate, declared.key, declared.client_roots) if p is not None]


class TlsContexts:
    """The `Tls` port: every declared context by name."""

    def __init__(self, declared: Sequence[TlsContext]) -> None:
        """Build all of them.

        Raises:
            TlsUnusable: as `server_context`.
        """
        self._declared = {d.name: d for d in declared}
        self._contexts = {d.name: server_context(d) for d in declared}

    def server(self, name: str) -> ssl.SSLContext | None:
        """The context of that name; None for the empty name, which means plain.

        Raises:
            TlsUnusable: nobody declared that name.
        """
        if not name:
            return None
        if name not in self._contexts:
            known = ", ".join(sorted(self._contexts)) or "none"
            raise TlsUnusable(
                f"no `[[tls]]` is called `{name}` (declared: {known}); next: declare it, or correct the name"
            )
        return self._contexts[name]

    def ends(self) -> dict[str, datetime]:
        """Until when each context's certificate is valid, as it stands in its file; without those that cannot be read."""
        found = {}
        for name, declared in self._declared.items():
            with suppress(OSError, ValueError):
                found[name] = ends(declared)
        return found

    def reload(self, declared: Sequence[TlsContext]) -> tuple[str, ...]:
        """Read the files again into the contexts that listeners hold; new handshakes use them, open sockets go on.

        All files are tried first, so a bad one changes nothing. Client roots are added, never taken away: dropping one
        needs a restart. Returns the names that were loaded.

        Raises:
            TlsUnusable: as `server_context`; nothing was changed.
        """
        fresh = {d.name: server_context(d) for d in declared}
        for entry in declared:
            if entry.name in self._contexts:
                _load(self._contexts[entry.name], entry)
            else:
                self._contexts[entry.name] = fresh[entry.name]
            self._declared[entry.name] = entry
        return tuple(fresh)
