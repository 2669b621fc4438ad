"""Who waits until a record of the journal was reached: by a follower, by the rows, by a controller."""

from __future__ import annotations

import asyncio


class Waiting:
    """Futures by the record that each waits for."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    def __bool__(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiting)

    def until(self, seq: int) -> asyncio.Future[None]:
        """A future that `reached` ends."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((seq, future))
        return future

    def forget(self, future: asyncio.Future[None]) -> None:
        """Whoever waited for it does so no longer."""
        self._waiting = [(seq, known) for seq, known in self._waiting if known is not future]

    def reached(self, seq: int) -> None:
        """Release all who wait for this record or an earlier one."""
        due = [future for of, future in self._waiting if of <= seq]
        self._waiting = [(of, future) for of, future in self._waiting if of > seq]
        for future in due:
            if not future.done():
                future.set_result(None)

    def fail(self, error: Exception) -> None:
        """Nobody waits any more: what they wait for does not come."""
        for _, future in self._waiting:
            if not future.done():
                future.set_exception(error)
        self._waiting.clear()
