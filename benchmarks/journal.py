"""Append latency of the journal beside the raw flush time of the same folder: `python -m benchmarks.journal [--dir D]`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from core.messages import Message, Physical, compose
from core.messages.evidence import EvidenceReceived
from gateway.journal.group import GroupWriter
from gateway.journal.opening import open_journal

GOAL_BURST_MS = 10.0
FRAME = json.dumps(
    [
        2,
        "19223201",
        "MeterValues",
        {
            "connectorId": 1,
            "transactionId": 17,
            "meterValue": [
                {
                    "timestamp": "2026-10-25T00:30:00Z",
                    "sampledValue": [{"value": "73250", "measurand": "Energy.Active.Import.Register", "unit": "Wh"}],
                }
            ],
        },
    ]
)


def message(number: int) -> Message:
    """One frame of a charger as evidence."""
    body = EvidenceReceived(protocol="ocpp", peer="CP01", frame=FRAME, subject="MeterValues", connection=1)
    now = datetime.now(UTC)
    return compose(body, id=f"{number:024x}", time=now, source="ocpp:CP01", site="depot", at=Physical(station="CP01"))


def flush_times(folder: Path, size: int, count: int) -> list[float]:
    """Milliseconds of `count` appends of `size` bytes, each with fdatasync."""
    times, content = [], os.urandom(size)
    with (folder / "flush").open("wb", buffering=0) as file:
        for _ in range(count):
            began = time.perf_counter()
            file.write(content)
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - began) * 1e3)
    return times


async def single(writer: GroupWriter, count: int) -> list[float]:
    """Milliseconds of single appends, one after the other."""
    times = []
    for number in range(count):
        began = time.perf_counter()
        await writer.append([message(number)])
        times.append((time.perf_counter() - began) * 1e3)
    return times


async def burst(writer: GroupWriter, size: int, rounds: int) -> list[float]:
    """Milliseconds until all of `size` concurrent appends are durable."""
    times = []
    for turn in range(rounds):
        messages = [message((turn + 1) * 1_000_000 + k) for k in range(size)]
        began = time.perf_counter()
        await asyncio.gather(*(writer.append([m]) for m in messages))
        times.append((time.perf_counter() - began) * 1e3)
    return times


async def closed_loop(writer: GroupWriter, clients: int, seconds: float) -> tuple[list[float], float]:
    """Milliseconds of each append by `clients` that append again at once, and appends a second."""
    times: list[float] = []
    number = iter(range(10**9, 2 * 10**9))
    until = time.perf_counter() + seconds

    async def client() -> None:
        while time.perf_counter() < until:
            m = message(next(number))
            began = time.perf_counter()
            await writer.append([m])
            times.append((time.perf_counter() - began) * 1e3)

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return times, len(times) / (time.perf_counter() - began)


def row(name: str, times: list[float], raw: float, extra: str = "") -> str:
    """One line of the table."""
    p50, p99 = statistics.median(times), sorted(times)[int(len(times) * 0.99)]
    return f"{name:<34}{p50:>9.2f}{p99:>9.2f}{p50 / raw:>8.1f} x  {extra}"


async def measure(folder: Path) -> bool:
    """Print the table; whether the goal is met."""
    opened = await open_journal(folder)
    try:
        writer = await opened.log.writer("depot", "gw-bench", 1)
        await burst(writer, 10, 5)
        singles = await single(writer, 300)
        raw_small = flush_times(folder, 600, 300)
        bursts = await burst(writer, 500, 40)
        raw_burst = flush_times(folder, 80_000, 100)
        loop, rate = await closed_loop(writer, 500, 3)
    finally:
        await opened.close()
    small, large = statistics.median(raw_small), statistics.median(raw_burst)
    print(f"{'':<34}{'p50 ms':>9}{'p99 ms':>9}{'to raw':>8}")
    print(row("fdatasync of 600 bytes", raw_small, small))
    print(row("one append", singles, small))
    print(row("fdatasync of 80 kB", raw_burst, large))
    met = statistics.median(bursts) <= GOAL_BURST_MS
    print(
        row(
            "500 appends at once, all durable",
            bursts,
            large,
            f"goal {GOAL_BURST_MS:g} ms: {'met' if met else 'missed'}",
        )
    )
    print(row("500 clients in a closed loop", loop, large, f"{rate:,.0f} appends/s"))
    return met


def main() -> int:
    """Measure in a folder, by default a temporary one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, help="measure on this folder's disk")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.dir) as folder:
        return 0 if asyncio.run(measure(Path(folder))) else 1


if __name__ == "__main__":
    sys.exit(main())
