"""Whether somebody has a journal open, seen from outside."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from gateway.journal import lock


def is_held(state: Path) -> bool:
    """Whether a hub (or its server) has this journal open now."""
    try:
        descriptor = os.open(lock.path_in(state), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
