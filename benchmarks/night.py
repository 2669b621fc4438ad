"""How long BUS-142's night takes, whole over real sockets, and how much of it is the fold: `python -m benchmarks.night`."""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from core.messages import Position
from core.site.state import SiteState, fold
from gateway.journal.opening import open_journal

GOAL_S = 60.0
WITHIN_S = 300.0


def main() -> int:
    """Play it in a process of its own as a user does, then fold what it left; 1 if the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=142)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "night"
        wall, document = play(given.seed, folder)
        messages, seconds = asyncio.run(folded(folder))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    met = document["ok"] and wall <= GOAL_S
    print(f"the night, 12 h 15 min, seed {given.seed}: {wall:.1f} s wall, {used.ru_utime + used.ru_stime:.1f} s of CPU")
    print(f"every promise kept: {document['ok']}; goal {GOAL_S:g} s: {'met' if met else 'missed'}")
    print(f"folded again from its journal: {messages:,} messages in {seconds:.2f} s ({messages / seconds:,.0f}/s)")
    return 0 if met else 1


def play(seed: int, folder: Path) -> tuple[float, dict[str, object]]:
    """Wall seconds of the command, start of the interpreter included, and its document."""
    command = [
        str(Path(sys.executable).with_name("busbar")),
        "demo",
        "--json",
        "--seed",
        str(seed),
        "--keep",
        str(folder),
    ]
    begun = time.perf_counter()
    found = subprocess.run(command, capture_output=True, timeout=WITHIN_S, check=False)
    return time.perf_counter() - begun, json.loads(found.stdout)


async def folded(path: Path) -> tuple[int, float]:
    """Messages of the journal and seconds to read them and fold every site's state from them."""
    opened = await open_journal(path, read_only=True)
    try:
        states: dict[str, SiteState] = {}
        count, begun = 0, time.perf_counter()
        async for record in opened.log.read(0, follow=False):
            count += len(record.messages)
            state = states.get(record.site) or SiteState(record.site)
            for index, message in enumerate(record.messages):
                state = fold(state, message, Position(record.seq, index))
            states[record.site] = state
        return count, time.perf_counter() - begun
    finally:
        await opened.close()


if __name__ == "__main__":
    sys.exit(main())
