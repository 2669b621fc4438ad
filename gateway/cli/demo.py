"""`busbar demo`: plays the worked example against a real hub in this process, and says whether every promise was kept."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import time
import tomllib
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from core.messages.site import Rule
from gateway.cli.errors import USAGE, CliError

MARK = ".busbar-demo"
"""Stands in folders that a demo made, and only those are cleared by the next one."""


def run(
    *,
    speed: float | None,
    seed: int | None,
    scenario: Path | None,
    baseline: Rule | None,
    serve: bool,
    as_json: bool,
    keep: Path,
) -> int:
    """Play the night, print it, leave the evidence in `keep`; 0 if every promise was kept (a baseline: if it was played)."""
    from simulators.scenario import BadScenario
    from simulators.whatif import draw

    folder, file = find(scenario)
    _clear(keep)
    say = _say(quiet=as_json)
    begun = time.monotonic()
    try:
        night = draw(file, seed)
    except BadScenario as error:
        raise CliError(str(error), str(file), "see docs/simulators.md", USAGE) from error
    from gateway.cli.night import Night

    site = tomllib.loads((folder / "site.toml").read_text(encoding="utf-8"))
    if baseline is not None:
        site["policies"] = {**site.get("policies", {}), "rule": baseline}
    played = asyncio.run(Night(night, site, keep, speed=speed, say=say, stay=serve).play())
    document = {**played, "wall_s": round(time.monotonic() - begun, 1)}
    (keep / "night.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if as_json:
        print(json.dumps(document, ensure_ascii=False))
    else:
        _summary(document, keep)
    return 0 if document["ok"] or baseline is not None else 1


def find(scenario: Path | None) -> tuple[Path, Path]:
    """(folder with site.toml, scenario file): as named, else `./examples/bus-142`, else the packaged copy.

    An editable installation has no copy: it takes what the copy would be made of.
    """
    if scenario is None:
        package = Path(str(files("simulators")))
        places = (Path("examples/bus-142"), package / "scenarios/bus-142", package.parent / "examples/bus-142")
        scenario = next((place for place in places if place.is_dir()), places[1])
    file = scenario / "scenario.toml" if scenario.is_dir() else scenario
    if not file.is_file() or not (file.parent / "site.toml").is_file():
        raise CliError("no scenario there", str(file), "name a folder with scenario.toml and site.toml", USAGE)
    return file.parent, file


def _clear(keep: Path) -> None:
    if keep.exists() and any(keep.iterdir()) and not (keep / MARK).exists():
        raise CliError("not a demo's folder", str(keep), "name an empty one with --keep", USAGE)
    shutil.rmtree(keep, ignore_errors=True)
    keep.mkdir(parents=True)
    (keep / MARK).write_text("made by `busbar demo`; the next demo clears it\n", encoding="utf-8")


def _say(*, quiet: bool) -> Callable[[str], None]:
    def say(text: str) -> None:
        print(text, file=sys.stderr if quiet else sys.stdout, flush=True)

    return say


def _summary(document: dict[str, Any], keep: Path) -> None:
    vehicles = document["vehicles"]
    met = sum(v["readiness"] == "met" for v in vehicles)
    over, peak = document["overshoot"], document["peak"]
    print(f"\n{met} of {len(vehicles)} departures met; rule: {document['rule']}")
    for v in vehicles:
        if v["readiness"] != "met":
            print(f"  {v['vehicle']}: {v['readiness']}, {v['reason']}")
    print(
        f"peak {peak['import_kw']:.1f} of {peak['limit_kw']:.0f} kW; above the limit: {over['max_kw']:.1f} kW, {over['seconds']} s"
    )
    told = document["commands"]
    print(f"commands: {told['sent']} sent, {told['confirmed']} confirmed, {told['rejected']} rejected")
    print(f"journal: {document['journal']['messages']} messages; facts {document['facts_digest'][:16]}")
    print("every promise was kept" if document["ok"] else f"a promise was broken: {'; '.join(document['broken'])}")
    print(f"evidence in {keep}; ask: busbar why BUS-142 --data {keep}")
