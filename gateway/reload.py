"""Reads the settings again while the hub runs: a bad file changes nothing, a good one says what changed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from gateway.http.access import Users
from gateway.settings.errors import Problem, SettingsError
from gateway.settings.load import load
from gateway.settings.models import HubSettings
from gateway.tls import TlsUnusable

if TYPE_CHECKING:
    from gateway.wiring import Hub

FIXED = ("gateway", "data", "nats", "nats_user", "nats_password", "database", "http", "adapters")
"""What is bound or opened at the start, so that only a restart changes it."""


async def reload(hub: Hub) -> dict[str, list[str]]:
    """Take the settings file as it is now; open sockets stay open. Says what `changed` and what needs a `restart`.

    Raises:
        SettingsError: with every problem; nothing was changed.
        core.ports.NotStored: a site's configuration was not stored; asking again goes on from there.
    """
    if hub.source is None:
        problem = Problem(
            "hub", "it was not started from a settings file", "start it with `busbar serve --config FILE`"
        )
        raise SettingsError([problem])
    fresh = load(hub.source, os.environ)
    try:
        hub.tls.reload(fresh.tls)
    except TlsUnusable as error:
        what, _, step = str(error).partition("; next: ")
        raise SettingsError([Problem(str(hub.source), what, step or "correct the files")]) from error
    old = hub.settings
    kept, changed, restart = _merge(old, fresh)
    hub.secrets.lead(kept.aliases())
    hub.settings = kept
    hub.make_passwords()
    hub.http.users = Users(kept.users, hub.secrets)
    hub.admit_command_line()
    for site in kept.sites:
        await hub.controllers[site.id].configure(site.config())
    return {"changed": changed, "restart": restart}


def _merge(old: HubSettings, fresh: HubSettings) -> tuple[HubSettings, list[str], list[str]]:
    """The settings in force from now on, what is new in them, and what of the file waits for a restart."""
    changed = [name for name in ("tls", "users") if getattr(old, name) != getattr(fresh, name)]
    restart = [name for name in FIXED if getattr(old, name) != getattr(fresh, name)]
    sites = []
    for site in old.sites:
        now = fresh.site(site.id)
        if now is None:
            restart.append(f"sites.{site.id}: removed")
        elif now != site:
            changed += _differing(f"sites.{site.id}", site.model_dump(), now.model_dump())
        sites.append(now or site)
    restart += [f"sites.{s.id}: added" for s in fresh.sites if old.site(s.id) is None]
    update = {"tls": fresh.tls, "users": fresh.users, "sites": tuple(sites)}
    return old.model_copy(update=update), changed, restart


def _differing(at: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [f"{at}.{name}" for name in new if old.get(name) != new[name]]
