"""What was folded, kept beside the journal so that a start reads only what came since: a cache, dropped at the least doubt."""

from __future__ import annotations

import json
import logging
import pickle
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from core.directory import Directory
from core.ports import Wish
from core.site import SiteState
from gateway.secrets import write_durably

NAME = "folded"
LIBRARIES = ("immutables", "numpy", "pydantic", "pydantic-core")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that a start folds, as of one record."""

    seq: int
    hash: str
    """Of that record's head line: the same journal has the same record there."""
    next_epoch: int
    """The one of this gateway's next start."""
    directory: Directory
    sites: Mapping[str, SiteState]
    wishes: Mapping[str, Mapping[str, Wish]]


def save(path: Path, snapshot: Snapshot) -> None:
    """Replace the file: one line of JSON, then the pickled snapshot.

    Raises:
        OSError: the disk did not take it.
    """
    payload = pickle.dumps(snapshot, protocol=5)
    head = {"made_by": fingerprint(), "seq": snapshot.seq, "digest": sha256(payload).hexdigest()}
    write_durably(path, json.dumps(head).encode() + b"\n" + payload)


def load(path: Path) -> Snapshot | None:
    """The snapshot, or None: there is none, this very program did not make it, or it is damaged.

    Unpickling runs what the file says, so it is as trusted as the data folder, which holds the journal's password and
    every secret: the file has mode 0600 like them.
    """
    made_by = fingerprint()
    try:
        first, _, payload = path.read_bytes().partition(b"\n")
        head = json.loads(first)
        if head["made_by"] != made_by or head["digest"] != sha256(payload).hexdigest():
            return None
        found = pickle.loads(payload)  # noqa: S301 because: see above
    except FileNotFoundError:
        return None
    except Exception as error:  # noqa: BLE001 because: whatever is wrong with a cache, the journal has everything
        logger.warning("the snapshot %s is not used: %r", path, error)
        return None
    return found if isinstance(found, Snapshot) else None


@cache
def fingerprint() -> str:
    """Changes with every line of the core and with what its state is made of: another program may fold otherwise.

    Read once, at the start: an upgrade replaces the files under a running hub, whose state is none of the new program's.
    """
    found = sha256(platform.python_version().encode())
    for library in LIBRARIES:
        found.update(f"{library} {version(library)}\n".encode())
    for name, source in sorted(_sources(files("core"), "core")):
        found.update(f"{name}\n".encode() + source)
    return found.hexdigest()


def _sources(folder: Traversable, at: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        name = f"{at}/{entry.name}"
        if entry.is_dir() and entry.name != "__pycache__":
            found += _sources(entry, name)
        elif entry.name.endswith(".py"):
            found.append((name, entry.read_bytes()))
    return found
