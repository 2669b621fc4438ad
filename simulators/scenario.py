"""A night as a TOML file describes it, and its seeded draw: who arrives when and how empty, what goes wrong, what must be met."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from simulators.charger.battery import Battery, Points, weaker_above
from simulators.charger.settings import Quirks, StationSpec
from simulators.dso.script import Block, DsoScript, Forecast
from simulators.meter import Building
from simulators.scheduler.vdv452 import BlockRow

Table = Mapping[str, Any]


class BadScenario(Exception):
    """The file cannot be used; the text says where and what to change."""


@dataclass(frozen=True)
class Node:
    """A node of the tree of limits."""

    id: str
    parent: str | None
    limit_kw: float


@dataclass(frozen=True)
class BusType:
    """What is known about a type of bus."""

    id: str
    number: int
    capacity_kwh: float
    eta: float
    curve: Points
    kwh_per_km: float
    soc_floor: float


@dataclass(frozen=True)
class WorkBlock:
    """A block of tomorrow."""

    number: int
    line: int
    departs: datetime
    returns: datetime
    km: float
    deadrun_km: float


@dataclass(frozen=True)
class Visit:
    """One bus of the night as it really is: arrival, SoC, what it accepts, its blocks."""

    bus: str
    type: BusType
    token: str
    station: str
    arrives: datetime
    soc: float
    goal: float
    """SoC that its work asks for."""
    curve: Points
    blocks: tuple[WorkBlock, ...]
    disturbed: bool = False

    @property
    def departs(self) -> datetime:
        """The first departure."""
        return self.blocks[0].departs

    def battery(self) -> Battery:
        """Its battery on arrival."""
        return Battery(self.type.capacity_kwh, self.soc, self.curve, self.type.eta)


@dataclass(frozen=True)
class Scenario:
    """A night with everything drawn."""

    name: str
    seed: int
    site: str
    zone: str
    begin: datetime
    end: datetime
    operating_day: date
    schedule_sent: datetime
    grid_meter: str
    building_meter: str
    guard_s: int
    unplug_lead_s: int
    nodes: tuple[Node, ...]
    stations: tuple[StationSpec, ...]
    node_of: Mapping[str, str]
    safe_kw: Mapping[str, float]
    visits: tuple[Visit, ...]
    dso: DsoScript
    building: Building
    spare: float
    spare_disturbed: float

    def block_rows(self) -> list[BlockRow]:
        """Every block for the scheduler's export."""
        midnight = datetime.combine(self.operating_day, time(0), ZoneInfo(self.zone))
        return [
            BlockRow(
                block.number,
                visit.type.number,
                block.line,
                _seconds(block.departs - midnight),
                _seconds(block.returns - midnight),
                round(block.km * 1000),
                round(block.deadrun_km * 1000),
            )
            for visit in self.visits
            for block in visit.blocks
        ]


class Local:
    """Reads "HH:MM" as a moment of the night: before noon is the morning after."""

    def __init__(self, evening: date, zone: str) -> None:
        self._evening, self._zone = evening, ZoneInfo(zone)

    def moment(self, text: str) -> datetime:
        """The moment in UTC."""
        at = time.fromisoformat(text)
        return self._on(self._evening + timedelta(days=at.hour < 12), at)

    def tomorrow(self, text: str) -> datetime:
        """The moment on the operating day, in UTC."""
        return self._on(self._evening + timedelta(days=1), time.fromisoformat(text))

    def _on(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self._zone).astimezone(UTC)


def read(path: Path) -> dict[str, Any]:
    """The file as tables.

    Raises:
        BadScenario: it is not there, or is no TOML.
    """
    try:
        file = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise BadScenario(f"{path}: {problem.strerror}; next: name a scenario file with --scenario") from problem
    except tomllib.TOMLDecodeError as problem:
        raise BadScenario(f"{path}: {problem}; next: correct that line") from problem
    base = file.pop("extends", None)
    return file if base is None else _merged(read(path.parent / base), file)


def _merged(base: dict[str, Any], changes: Table) -> dict[str, Any]:
    """Tables key by key, lists of tables row by row by their `id`, all else replaced."""
    merged = dict(base)
    for key, value in changes.items():
        old = base.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[key] = _merged(old, value)
        elif isinstance(old, list) and old and isinstance(old[0], dict) and "id" in old[0]:
            rows = {row["id"]: row for row in value}
            merged[key] = [row | rows.pop(row["id"], {}) for row in old] + list(rows.values())
        else:
            merged[key] = value
    return merged


def build(file: Table, seed: int, attempt: int = 0) -> Scenario:
    """One draw of the night; the same seed and attempt give the same night.

    Raises:
        BadScenario: a key is missing or names something that is not there.
    """
    try:
        return _Draw(file, seed, attempt).scenario()
    except KeyError as missing:
        raise BadScenario(f"{missing} is missing or not declared; next: add it to the scenario") from missing


class _Draw:
    def __init__(self, file: Table, seed: int, attempt: int) -> None:
        self.file, self.seed = file, seed
        self.random = random.Random(f"{seed}:{attempt}")  # noqa: S311  because: a simulation, not a secret
        self.zone: str = file["night"]["zone"]
        self.begin: datetime = file["night"]["begins"]
        self.local = Local(self.begin.date(), self.zone)
        self.types = {row["id"]: _type(row) for row in file["types"]}
        self.shift = self._shift()

    def scenario(self) -> Scenario:
        file, night, site = self.file, self.file["night"], self.file["site"]
        zone = ZoneInfo(self.zone)
        return Scenario(
            name=file["name"],
            seed=self.seed,
            site=site["id"],
            zone=self.zone,
            begin=night["begins"].replace(tzinfo=zone).astimezone(UTC),
            end=night["ends"].replace(tzinfo=zone).astimezone(UTC),
            operating_day=night["operating_day"],
            schedule_sent=self.local.moment(night["schedule_sent"]),
            grid_meter=site["grid_meter"],
            building_meter=site["building_meter"],
            guard_s=file["energy"]["guard_s"],
            unplug_lead_s=file["energy"]["unplug_lead_s"],
            nodes=tuple(Node(n["id"], n.get("parent"), n["limit_kw"]) for n in file["nodes"]),
            stations=tuple(self._station(row) for row in file["stations"]),
            node_of={row["id"]: row["node"] for row in file["stations"]},
            safe_kw={row["id"]: row["safe_kw"] for row in file["stations"]},
            visits=tuple(self._visit(row) for row in file["buses"]),
            dso=self._dso(),
            building=self._building(),
            spare=file["draw"]["spare"],
            spare_disturbed=file["draw"]["spare_disturbed"],
        )

    def _shift(self) -> timedelta:
        most = self.file["draw"]["disturbance_minutes"] * 60
        return timedelta(seconds=self.random.randint(-most, most))

    def _station(self, row: Table) -> StationSpec:
        return StationSpec(row["id"], row["version"], (row["rating_kw"],), self._quirks(row["id"]))

    def _quirks(self, station: str) -> Quirks:
        said = self.file.get("disturbances", {})
        lost, quirks = said.get("lost_connection"), Quirks()
        if lost and lost["station"] == station:
            begins = self.local.moment(lost["from"]) + self.shift
            quirks = replace(quirks, lost_from=begins, lost_for=timedelta(minutes=lost["minutes"]))
        if said.get("rejects_first_profile", {}).get("station") == station:
            quirks = replace(quirks, rejects_first_profile=True)
        if said.get("ignores_profiles", {}).get("station") == station:
            quirks = replace(quirks, ignores_profiles=True)
        return quirks

    def _visit(self, row: Table) -> Visit:
        draw, kind = self.file["draw"], self.types[row["type"]]
        late = draw["arrival_minutes"] * 60
        blocks = tuple(self._block(block) for block in row["blocks"])
        said = self.file.get("disturbances", {})
        weak = said.get("weak_bus")
        is_weak = bool(weak and weak["bus"] == row["id"])
        touched = [(said.get(name) or {}).get("station") for name in ("lost_connection", "rejects_first_profile")]
        return Visit(
            bus=row["id"],
            type=kind,
            token=row["token"],
            station=row["station"],
            arrives=self._arrival(row, late),
            soc=round(row["soc"] + self.random.uniform(-draw["soc"], draw["soc"]), 4),
            goal=self._goal(kind, blocks),
            curve=weaker_above(kind.curve, weak["soc"], weak["factor"]) if is_weak else kind.curve,
            blocks=blocks,
            disturbed=is_weak or row["station"] in touched,
        )

    def _arrival(self, row: Table, seconds: int) -> datetime:
        """When a bus comes; the file's first and last arrival stay the bounds of the night."""
        arrivals = [self.local.moment(bus["arrives"]) for bus in self.file["buses"]]
        mine, first, last = self.local.moment(row["arrives"]), min(arrivals), max(arrivals)
        drawn = mine + timedelta(seconds=self.random.randint(-seconds, seconds))
        return mine if mine in (first, last) else max(first, min(last, drawn))

    def _block(self, row: Table) -> WorkBlock:
        departs, returns = self.local.tomorrow(row["departs"]), self.local.tomorrow(row["returns"])
        if returns <= departs:
            raise BadScenario(f"block {row['number']} returns before it departs; next: correct its times")
        return WorkBlock(row["number"], row["line"], departs, returns, row["km"], row["deadrun_km"])

    def _goal(self, kind: BusType, blocks: tuple[WorkBlock, ...]) -> float:
        energy = self.file["energy"]
        planned = sum(block.km for block in blocks) * kind.kwh_per_km * (1 + energy["margin"])
        reserve = energy["reserve_soc"] * kind.capacity_kwh
        goal: float = min(1.0, kind.soc_floor + (planned + reserve) / kind.capacity_kwh)
        return goal

    def _dso(self) -> DsoScript:
        grid, moment = self.file["grid"], self.local.moment
        rating = next(n["limit_kw"] for n in self.file["nodes"] if "parent" not in n)
        forecasts = [
            Forecast(
                moment(said["at"]),
                tuple(Block(moment(w["from"]), moment(w["to"]), w["kw"]) for w in said["windows"]),
            )
            for said in grid["forecasts"]
        ]
        fallback = Forecast(
            moment(grid["forecasts"][0]["at"]),
            (Block(moment("18:00"), moment("11:59"), grid["fallback_kw"]),),
            "FALLBACK_CONSUMPTION",
        )
        silent, again = grid.get("silent_from"), grid.get("handshake_again")
        return DsoScript(
            group=grid["group"],
            begin=moment(grid["registers"]),
            end=self.file["night"]["ends"].replace(tzinfo=ZoneInfo(self.zone)).astimezone(UTC),
            rating_kw=rating,
            fallback_kw=grid["fallback_kw"],
            forecasts=(fallback, *forecasts),
            silent_from=moment(silent) if silent else None,
            handshake_again=moment(again) if again else None,
        )

    def _building(self) -> Building:
        said = self.file["building"]
        steps = tuple((time.fromisoformat(begins), kw) for begins, kw in said["steps"])
        return Building(self.zone, steps, said["noise_kw"], self.seed)


def _type(row: Table) -> BusType:
    curve = tuple((soc, kw) for soc, kw in row["curve"])
    return BusType(
        row["id"], row["number"], row["capacity_kwh"], row["eta"], curve, row["kwh_per_km"], row["soc_floor"]
    )


def _seconds(span: timedelta) -> int:
    return int(span.total_seconds())
