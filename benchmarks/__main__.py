"""Every benchmark, one after the other, printed and written to `benchmarks/results/`: `./run bench [NAME ...]`."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
WITHIN_S = 600.0
NAMES = tuple(sorted(file.stem for file in HERE.glob("*.py") if not file.stem.startswith("__")))


def main() -> int:
    """0 if each one came to its end and met its own goal."""
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all, or some of: {', '.join(NAMES)}")
    parser.add_argument("--to", type=Path, default=HERE / "results", help="folder for what is printed")
    given = parser.parse_args()
    if unknown := sorted(set(given.names) - set(NAMES)):
        parser.error(f"no benchmark of the name {unknown[0]}; next: name some of {', '.join(NAMES)}")
    given.to.mkdir(parents=True, exist_ok=True)
    return max(measure(name, given.to) for name in given.names or NAMES)


def measure(name: str, to: Path) -> int:
    """Run one alone, so that none warms or slows another."""
    load = os.getloadavg()[0]
    print(f"{name} ...", flush=True)
    found = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}"], capture_output=True, text=True, timeout=WITHIN_S, check=False
    )
    print(found.stdout, found.stderr if found.returncode else "", sep="", flush=True)
    if found.stdout:
        (to / f"{name}.txt").write_text(f"{machine(load)}\n\n{found.stdout}", encoding="utf-8")
    return found.returncode


def machine(load: float) -> str:
    """What a reader must know to compare: when, on what, and how busy it was before."""
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {os.cpu_count()} cores ({platform.machine()}), "
        f"load before {load:.1f}"
    )


if __name__ == "__main__":
    sys.exit(main())
