"""User and password of the embedded server: made at first start, readable by the hub's user only."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client of the embedded server shows."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials(user={self.user!r})"


def load_or_make(path: Path) -> Credentials:
    """The credentials in the file; made, with mode 0600, where there is none."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return load(path)
    made = Credentials("busbar", secrets.token_urlsafe(24))
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"user": made.user, "password": made.password}, file)
        file.flush()
        os.fsync(file.fileno())
    return made


def load(path: Path) -> Credentials:
    """The credentials in the file.

    Raises:
        OSError: the file is not what `load_or_make` wrote.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return Credentials(str(data["user"]), str(data["password"]))
    except (ValueError, KeyError, TypeError) as error:
        raise OSError(f"{path} cannot be read ({error}); next: delete it while the hub is stopped") from error
