"""What a person sees while something takes long: one line on a terminal, nothing anywhere else."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

SOON_S, EVERY_S = 1.0, 0.5
_CLEAR = "\r\x1b[K"


@contextmanager
def working(on: str, stream: TextIO | None = None) -> Iterator[None]:
    """Say what is going on and for how long, from the first second on; the line is gone at the end."""
    shown = stream or sys.stderr
    if not shown.isatty():
        yield
        return
    done = threading.Event()
    teller = threading.Thread(target=_tell, args=(on, shown, done), daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()


def _tell(on: str, stream: TextIO, done: threading.Event) -> None:
    begun = time.monotonic()
    if done.wait(SOON_S):
        return
    while True:
        stream.write(f"{_CLEAR}{on} ... {time.monotonic() - begun:.0f} s")
        stream.flush()
        if done.wait(EVERY_S):
            break
    stream.write(_CLEAR)
    stream.flush()
