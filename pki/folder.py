"""A folder with a root and a server certificate: made once, never overwritten, keys for one user alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pki import authority

ROOT = timedelta(days=3650)
SERVER = timedelta(days=397)


@dataclass(frozen=True, slots=True)
class Folder:
    """What was made: where the files are, and the root's fingerprint to compare when a station is given it."""

    root: Path
    root_key: Path
    certificate: Path
    key: Path
    fingerprint: str
    valid_until: datetime


class AlreadyThere(FileExistsError):
    """One of the files exists; nothing was changed."""


def initialise(
    folder: Path,
    names: Sequence[str],
    now: datetime,
    *,
    root_valid: timedelta = ROOT,
    server_valid: timedelta = SERVER,
    title: str = "Busbar root",
) -> Folder:
    """Make `root.pem`, `root.key`, `server.pem`, `server.key` in `folder`; keys get mode 0600.

    Raises:
        AlreadyThere: one of them exists: a second root would lock out every station that knows the first.
        ValueError: a name that no certificate can carry.
        OSError: the folder cannot be written.
    """
    paths = [folder / name for name in ("root.pem", "root.key", "server.pem", "server.key")]
    there = [p.name for p in paths if p.exists()]
    if there:
        raise AlreadyThere(f"{folder}: {', '.join(there)} already there")
    top = authority.root(title, now, root_valid)
    leaf = authority.server(top, names, now, server_valid)
    folder.mkdir(parents=True, exist_ok=True)
    contents = (top.certificate_pem, top.key_pem, leaf.certificate_pem, leaf.key_pem)
    for path, content in zip(paths, contents, strict=True):
        _write(path, content, 0o600 if path.suffix == ".key" else 0o644)
    return Folder(paths[0], paths[1], paths[2], paths[3], top.fingerprint, leaf.certificate.not_valid_after_utc)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Create the file with that mode from its first byte on; an existing one is an error."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
