"""Read the settings: one TOML file and what it includes, then the environment, then every check; all problems at once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from gateway.registry import AdapterMissing, find
from gateway.settings import consistency, environment
from gateway.settings.errors import Problem, SettingsError
from gateway.settings.explain import explain
from gateway.settings.models import HubSettings
from gateway.settings.places import Places


def load(path: Path, env: Mapping[str, str]) -> HubSettings:
    """The settings in `path` under the overrides in `env`; relative paths in it are relative to its folder.

    Raises:
        SettingsError: with every problem that was found, in the order of the file.
    """
    path = path.absolute()
    places = Places(path)
    raw = _read(path, places, ())
    unread = _include(raw, path.parent, places)
    problems = list(unread)
    problems += environment.apply(raw, env, places)
    problems += _adapters(raw, places)
    settings = _validate(raw, path.parent, places, problems)
    if settings is not None and not unread:
        problems += consistency.check(settings, places)
    if problems or settings is None:
        raise SettingsError(problems)
    return settings


def _read(path: Path, places: Places, at: tuple[str | int, ...]) -> dict[str, Any]:
    """One file as raw tables; its lines become known to `places` below `at`."""
    try:
        text = path.read_text(encoding="utf-8")
        raw = tomllib.loads(text)
    except FileNotFoundError:
        fault = Problem(str(path), "there is no such file", "`busbar init DIR` writes a first one")
    except tomllib.TOMLDecodeError as error:
        fault = Problem(str(path), f"not TOML: {error}", "correct that line; strings stand in quotes")
    except UnicodeDecodeError:
        fault = Problem(str(path), "not UTF-8 text", "save the file as UTF-8")
    except IsADirectoryError:
        fault = Problem(str(path), "is a folder", f"name the file in it: {path / 'busbar.toml'}")
    except OSError as error:
        fault = Problem(str(path), f"cannot be read: {error.strerror}", "let the hub's user read it")
    else:
        places.add(path, text, at)
        return raw
    raise SettingsError([fault])


def _include(raw: dict[str, Any], base: Path, places: Places) -> list[Problem]:
    """Replace `[[sites]] file = "..."` by that file's tables; what stands beside `file` wins over the file."""
    problems: list[Problem] = []
    sites = raw.get("sites")
    for index, site in enumerate(sites if isinstance(sites, list) else ()):
        if not isinstance(site, dict) or "file" not in site:
            continue
        file = base / str(site.pop("file"))
        try:
            included = _read(file, places, ("sites", index))
        except SettingsError as error:
            problems += error.problems
            site.setdefault("id", f"site-{index}")
            site.setdefault("nodes", [])
            continue
        for station in included.get("stations", ()):
            _rebase(station, file.parent)
        raw["sites"][index] = included | site
    return problems


def _rebase(station: Any, folder: Path) -> None:
    """A `file:` reference in an included file is relative to that file."""
    password = station.get("password") if isinstance(station, dict) else None
    if isinstance(password, str) and password.startswith("file:"):
        station["password"] = f"file:{folder / password.removeprefix('file:')}"


def _adapters(raw: Mapping[str, Any], places: Places) -> list[Problem]:
    """Every adapter's table, checked by the adapter's own model."""
    problems: list[Problem] = []
    tables = raw.get("adapters", {})
    for name, table in tables.items() if isinstance(tables, dict) else ():
        at = ("adapters", name)
        try:
            find(name).Settings.model_validate(table)
        except AdapterMissing as missing:
            problems.append(Problem(places.where(at), missing.what, missing.next))
        except ValidationError as error:
            problems += explain(error, find(name).Settings, places, at)
    return problems


def _validate(raw: dict[str, Any], base: Path, places: Places, problems: list[Problem]) -> HubSettings | None:
    try:
        return HubSettings.model_validate(_absolute(raw, base)).anchored(base)
    except ValidationError as error:
        problems += explain(error, HubSettings, places, ())
        return None


def _absolute(raw: dict[str, Any], base: Path) -> dict[str, Any]:
    """The raw tables with every path made absolute."""
    tls = raw.get("tls")
    for context in tls if isinstance(tls, list) else ():
        for key in ("certificate", "key", "client_roots"):
            if isinstance(context, dict) and isinstance(context.get(key), str):
                context[key] = str(base / context[key])
    data = raw.get("data", "data")
    return raw | {"data": base / data if isinstance(data, str | Path) else data}


def adapter_settings(settings: HubSettings) -> dict[str, BaseModel]:
    """Each configured adapter's own settings, by its name."""
    return {name: find(name).Settings.model_validate(table) for name, table in settings.adapters.items()}
