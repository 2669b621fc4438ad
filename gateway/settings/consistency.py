"""What no single field can show: names that must exist, ids that must be unique, listeners that must not be open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from core.energy_system import Fault, doubles, faults
from core.messages.site import SiteConfig
from gateway.registry import AdapterMissing, find
from gateway.settings.errors import Problem
from gateway.settings.explain import closest
from gateway.settings.models import HttpListener, HubSettings, is_loopback
from gateway.settings.places import Key, Places
from protocols.adapter import NamesSources

Finding = tuple[Key, str, str]


def check(settings: HubSettings, places: Places) -> list[Problem]:
    """Every contradiction in settings whose fields are all right by themselves; a site's own are the core's to find."""
    findings = [*_hub(settings), *_listeners(settings), *_adapters_tls(settings), *_adapters_sources(settings)]
    for index, site in enumerate(settings.sites):
        config = site.config()
        findings += [(("sites", index, *_key(config, f.where)), _named(f), f.next) for f in faults(config)]
    return [Problem(places.where(at), what, step) for at, what, step in findings]


def _hub(settings: HubSettings) -> Iterator[Finding]:
    homes: dict[str, set[str]] = {}
    for site in settings.sites:
        for station in site.stations:
            homes.setdefault(station.id, set()).add(site.id)
    for name in (n for n, sites in homes.items() if len(sites) > 1):
        yield ("sites",), f"station `{name}` stands in two sites", "identities are unique in one hub: rename one"
    groups = {
        "sites": [s.id for s in settings.sites],
        "users": [u.name for u in settings.users],
        "http": [h.name for h in settings.http],
        "tls": [t.name for t in settings.tls],
    }
    for group, ids in groups.items():
        for name in doubles(ids):
            yield (group,), f"`{name}` stands twice", "give each entry a name of its own"


def _listeners(settings: HubSettings) -> Iterator[Finding]:
    known = tuple(t.name for t in settings.tls)
    for index, listener in enumerate(settings.http):
        if listener.tls is not None and listener.tls not in known:
            yield ("http", index, "tls"), f"no `[[tls]]` is called `{listener.tls}`", closest(listener.tls, known)
        if not settings.users and _open(listener):
            yield (
                ("http", index, "host"),
                f"`{listener.host}` is reachable from outside and nobody needs a token",
                "add `[[users]]` with a token reference, bind 127.0.0.1, or leave `pages` and `api` out of `mounts`",
            )


def _adapters_tls(settings: HubSettings) -> Iterator[Finding]:
    known = tuple(t.name for t in settings.tls)
    for at, value in walk(settings.adapters, ("adapters",)):
        if at[-1] == "tls" and value not in known:
            yield at, f"no `[[tls]]` is called `{value}`", closest(value, known)


def _adapters_sources(settings: HubSettings) -> Iterator[Finding]:
    """Sites and grid sources that an adapter names: what a peer says about one that does not exist would be lost."""
    for adapter, table in settings.adapters.items():
        try:
            own = find(adapter).Settings.model_validate(table)
        except (AdapterMissing, ValidationError):
            continue  # because: told already, at its own place
        for at, site, source in own.named_sources() if isinstance(own, NamesSources) else ():
            found = settings.site(site)
            known = tuple(s.id for s in (found.sources if found else settings.sites))
            if source is None and found is None:
                yield ("adapters", adapter, *at), f"no site is called `{site}`", closest(site, known)
            elif source is not None and found is not None and source not in known:
                what = f"the site `{site}` has no grid source `{source}`"
                yield ("adapters", adapter, *at), what, closest(source, known)


def _named(fault: Fault) -> str:
    """What is wrong, with the id that the fault names: a number in a list says little to people."""
    name = fault.where.partition(".")[2]
    return f"`{name}`: {fault.what}" if name else fault.what


def walk(value: Any, at: Key) -> Iterator[tuple[Key, str]]:
    """Every text in nested tables and lists, with its path."""
    if isinstance(value, str):
        yield at, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield from walk(part, (*at, key))


def _open(listener: HttpListener) -> bool:
    return not is_loopback(listener.host) and bool({"pages", "api"} & set(listener.mounts))


def _key(config: SiteConfig, where: str) -> Key:
    """The path of a fault that names its entry by id: `nodes.panel-1` -> ("nodes", 2); ids may hold dots."""
    group, _, rest = where.partition(".")
    entries = getattr(config, group, None)
    for index, entry in enumerate(entries if isinstance(entries, tuple) else ()):
        name = getattr(entry, "id", None)
        if name is not None and (rest == name or rest.startswith(f"{name}.")):
            field = rest.removeprefix(name).removeprefix(".")
            return (group, index, field) if field else (group, index)
    return tuple(where.split("."))
