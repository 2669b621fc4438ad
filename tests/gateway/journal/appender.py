"""A process of its own that appends without end and prints what was acknowledged: `python -m ... FOLDER`."""

from __future__ import annotations

import asyncio
import sys
from itertools import count
from pathlib import Path

from gateway.journal.opening import open_journal
from tests.gateway.journal.contract import message


async def main(folder: Path) -> None:
    """Open the journal, print the server's process id, then one line per acknowledged append."""
    opened = await open_journal(folder)
    assert opened.server is not None
    writer = await opened.log.writer("depot", "gw-1", 1)
    print("server", opened.server.pid, flush=True)
    numbers = count()

    async def client() -> None:
        while True:
            number = next(numbers)
            at = await writer.append([message(str(number))])
            print("ack", number, at.seq, at.index, flush=True)

    await asyncio.gather(*(client() for _ in range(8)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
