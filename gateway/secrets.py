"""Secrets: references to files and environment variables, and what arises at run time in `<data>/secrets`."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile

_SAFE = re.compile(r"[A-Za-z0-9._-]")


class FileSecrets:
    """The `Secrets` port over files of mode 0600.

    A reference is `file:PATH` (relative to the settings file), `env:NAME`, `data:NAME`, or a bare NAME, which means
    `data:NAME`. `aliases` lead a bare name elsewhere (`HubSettings.aliases`).
    Only `data:` references can be put.
    """

    def __init__(
        self,
        data: Path,
        base: Path = Path(),
        env: Mapping[str, str] | None = None,
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self._folder = data / "secrets"
        self._base = base
        self._aliases = dict(aliases or {})
        self._env = os.environ if env is None else env

    def get(self, ref: str) -> bytes | None:
        """The secret, or None if there is none by that name; one final line break of a file is not part of it."""
        kind, rest = self._split(ref)
        if kind == "env":
            value = self._env.get(rest)
            return None if value is None else os.fsencode(value)
        path = self._base / rest if kind == "file" else self._path(rest)
        try:
            content = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError, PermissionError, IsADirectoryError):
            return None
        return content if kind == "data" else content.removesuffix(b"\n").removesuffix(b"\r")

    def put(self, ref: str, value: bytes) -> None:
        """Keep a secret; returns when it is durable: written beside, synced, renamed, the folder synced.

        Raises:
            ValueError: the reference is not a `data:` one; those belong to the operator.
            OSError: the disk did not take it.
        """
        kind, name = self._split(ref)
        if kind != "data":
            raise ValueError(
                f"{ref}: only `data:` references can be written; next: change the file or variable yourself"
            )
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(self._path(name), value)

    def generate(self, ref: str, length: int = 20) -> bytes:
        """The secret of that name; made on first use as `length` random characters that every charger accepts."""
        known = self.get(ref)
        if known is not None:
            return known
        value = "".join(secrets.choice(_ALPHABET) for _ in range(length)).encode()
        self.put(ref, value)
        return value

    def lead(self, aliases: Mapping[str, str]) -> None:
        """Replace the aliases, after the settings were read again."""
        self._aliases = dict(aliases)

    def path(self, ref: str) -> Path | None:
        """The file that a secret stands in, or None where it is a variable of the environment."""
        kind, rest = self._split(ref)
        return None if kind == "env" else self._base / rest if kind == "file" else self._path(rest)

    def delete(self, ref: str) -> None:
        """Forget a secret that arose at run time; what is not there is fine."""
        kind, name = self._split(ref)
        if kind == "data":
            self._path(name).unlink(missing_ok=True)

    def _split(self, ref: str) -> tuple[str, str]:
        kind, colon, rest = self._aliases.get(ref, ref).partition(":")
        return (kind, rest) if colon and kind in {"file", "env", "data"} else ("data", ref)

    def _path(self, name: str) -> Path:
        """One file per name; whatever is not plain is written as its code point, so names never leave the folder."""
        plain = "".join(c if _SAFE.match(c) else f"%{ord(c):x}%" for c in name)
        return self._folder / (f"%2e%{plain[1:]}" if plain.startswith(".") else plain)


_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
"""Without the characters that people confuse when they type it into a charger."""


def write_durably(path: Path, value: bytes, mode: int = 0o600) -> None:
    """Write a file so that after a crash either the old or the new content stands there, never a part.

    Raises:
        OSError: the disk did not take it; the old content is untouched.
    """
    with NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as file:
        temporary = Path(file.name)
        try:
            temporary.chmod(mode)
            file.write(value)
            file.flush()
            os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
