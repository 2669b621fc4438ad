"""Constructs everything that runs, in the order in which it may start, and takes it down in reverse."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from core.messages.gateway import GatewayStarted
from core.messages.session import KnownTransaction
from core.ports import HUB, Clock, KnownStation, NotStored, Ports, TokenAnswer
from gateway import api, pages, registry
from gateway import reload as reloading
from gateway.api import Api
from gateway.appending import GatewayJournal
from gateway.beside import Beside
from gateway.clock import SystemClock
from gateway.controller import SiteController
from gateway.desired import FollowedWishes, LocalDesired
from gateway.feed import Feed
from gateway.gauges import show_certificates, show_peers
from gateway.http.access import Users
from gateway.http.host import HttpHost
from gateway.journal.log import Log, Record
from gateway.journal.opening import EMBEDDED, OpenJournal, open_journal
from gateway.metrics import Metrics
from gateway.readmodels.models import GATHER_S
from gateway.secrets import FileSecrets, write_durably
from gateway.settings.errors import SettingsError
from gateway.settings.load import adapter_settings
from gateway.settings.models import HttpListener, HubSettings, is_loopback
from gateway.tls import TlsContexts
from protocols.adapter import Adapter

logger = logging.getLogger("busbar")


COMMAND_LINE = "command-line"
"""The user (and its secret) that this machine's command line is."""


class LiveDirectory:
    """The directory as folded by now, for adapters that keep the port for as long as they run."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def station(self, identity: str) -> KnownStation | None:
        """The station with that identity."""
        return self._feed.directory.station(identity)

    def token(self, site: str, token: str) -> TokenAnswer:
        """Whether the token may charge at the site."""
        return self._feed.directory.token(site, token)

    def partner(self, adapter: str, name: str) -> Mapping[str, Any] | None:
        """What the adapter kept about that partner."""
        return self._feed.directory.partner(adapter, name)

    def transactions(self, station: str) -> tuple[KnownTransaction, ...]:
        """What a station charged last."""
        return self._feed.directory.transactions(station)


class Hub:
    """One running hub.

    `log` is given where somebody else owns the journal (tests, a second process); `gather_s` is how long (wall time)
    the read models gather records for one transaction. Without `projecting` they are left to whoever reads later: they
    can be made from the journal at any time.
    """

    def __init__(
        self,
        settings: HubSettings,
        *,
        clock: Clock | None = None,
        log: Log | None = None,
        gather_s: float = GATHER_S,
        projecting: bool = True,
        source: Path | None = None,
    ) -> None:
        self.source = source
        self.gather_s = gather_s
        self.projecting = projecting
        self.settings = settings
        self.clock: Clock = clock or SystemClock()
        self.metrics = Metrics()
        self.secrets = FileSecrets(settings.data, settings.base, aliases=settings.aliases())
        self.tls = TlsContexts(settings.tls)
        self.contents = reloading.contents(settings, self.secrets)
        self.desired = LocalDesired()
        self.controllers: dict[str, SiteController] = {}
        self.adapters: dict[str, Adapter] = {}
        self.http = HttpHost(Users(settings.users, self.secrets), self.metrics, self.clock)
        self.feed: Feed
        self.log: Log
        self.journal: GatewayJournal
        self.api: Api
        self.epoch = self.next_epoch = 1
        """Which start of this gateway this is, the same for all that it says, and which the next one will be."""
        self._given = log
        self.opened: OpenJournal | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping: asyncio.Task[None] | None = None
        self._noted = False
        self.beside = Beside(self)
        self.metrics.looks += [
            lambda: show_peers(self.metrics, self.peers()),
            lambda: show_certificates(self.metrics, self.tls.ends(), self.clock.now()),
        ]

    async def start(self) -> None:
        """Open the journal, fold it, control the sites, then let peers in.

        Raises:
            gateway.journal.log.Damaged: the journal is not what was acknowledged.
            OSError: an address cannot be bound, or the data folder cannot be written.
        """
        self.settings.data.mkdir(parents=True, exist_ok=True)
        self.log = await self._open_log()
        begin = await self.log.last()
        self.feed = Feed(self.log)
        self.feed.follow(self._note_epoch)
        for site in self.settings.sites:
            self.controllers[site.id] = SiteController(site.id, self.log, self.desired, self.clock, self.metrics)
            self.feed.follow(self.controllers[site.id].take)
        await self.beside.restore()
        await self.feed.catch_up()
        self.epoch = self.next_epoch
        self._tasks.append(self.feed.start())
        self.journal = GatewayJournal(self.log, self.feed, self.clock, self.settings.gateway, self.epoch, self.metrics)
        self.http.ready_checks["feed"] = partial(getattr, self.feed, "trouble")
        self.http.ready_checks["journal"] = partial(getattr, self.journal, "trouble")
        await self._control()
        self.beside.start(begin)
        await self._let_in()
        self._write_note()

    async def stop(self) -> None:
        """Let no one in, store what came, end the controllers, close the journal; once, for all who ask.

        Whoever gives up waiting ends nothing: the rest is still stopped, and the next one waits for that.
        """
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(), name="stop")
        await asyncio.shield(self._stopping)

    async def _stop(self) -> None:
        if self._noted:  # a hub that was refused this folder must not take away the note of the one that has it
            with suppress(OSError):
                self._note.unlink(missing_ok=True)
        for adapter in self.adapters.values():
            await adapter.stop()
        await self.http.stop()
        if hasattr(self, "api"):
            await self.api.close()
        if hasattr(self, "journal"):
            await self.journal.close()
        for controller in self.controllers.values():
            await controller.stop()
        if hasattr(self, "feed"):
            await self.feed.stop()
        await self.beside.stop()
        if self.opened is not None:
            await self.opened.close()

    async def reload(self) -> dict[str, list[str]]:
        """Read the settings file again; see `gateway.reload`."""
        return await reloading.reload(self)

    async def failed(self) -> None:
        """Return when the hub is stopped; raise when a part that must run forever ended by itself."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        if self._stopping is not None:
            return
        for task in done:
            task.result()
        raise RuntimeError(f"{', '.join(t.get_name() for t in done)} ended by itself")

    def peers(self) -> dict[str, dict[str, bool]]:
        """By adapter, every known peer and whether it is connected; a declared station is known before it ever was."""
        found = {a: {p.name: p.connected for p in adapter.health().peers} for a, adapter in self.adapters.items()}
        stations = {name for c in self.controllers.values() if c.state.topology for name in c.state.topology.stations}
        if "ocpp" in found:
            found["ocpp"] = dict.fromkeys(stations, False) | found["ocpp"]
        return found

    @property
    def _note(self) -> Path:
        return self.settings.data / "hub.json"

    async def _open_log(self) -> Log:
        if self._given is not None:
            return self._given
        settings = self.settings
        password = self.secrets.get(settings.nats_password) if settings.nats_password else None
        self.opened = await open_journal(
            settings.data,
            nats=settings.nats or EMBEDDED,
            user=settings.nats_user,
            password=password.decode() if password else None,
            limits=settings.journal.limits,
            observe=lambda seconds: self.metrics.observe("journal_append_seconds", seconds),
        )
        return self.opened.log

    def _note_epoch(self, record: Record) -> None:
        for message in record.messages:
            body = message.body
            if isinstance(body, GatewayStarted) and body.gateway == self.settings.gateway:
                self.next_epoch = max(self.next_epoch, body.epoch + 1)

    async def _control(self) -> None:
        for name in (HUB, *self.controllers):
            await self.journal.open(name)
        for site in self.settings.sites:
            controller = self.controllers[site.id]
            if self.settings.controls:
                await controller.open(self.epoch)
            await controller.configure(site.config())
            self._tasks.append(controller.start())
            self.journal.serve(controller)
            self.http.ready_checks[f"site {site.id}"] = partial(getattr, controller, "trouble")

    async def _let_in(self) -> None:
        ports = Ports(
            journal=self.journal,
            desired=self.desired if self.settings.controls else FollowedWishes(self.log),
            directory=LiveDirectory(self.feed),
            http=self.http.at("partners"),
            secrets=self.secrets,
            tls=self.tls,
            clock=self.clock,
            gateway=self.settings.gateway,
            epoch=self.epoch,
            sites=tuple(self.controllers),
            report=self.metrics.report,
            stranger=self.beside.strangers.put,
        )
        self.make_passwords()
        self.api = await api.mount(self)
        pages.mount(self)
        await self.http.start(self.settings.http, self.tls)
        for name, settings in adapter_settings(self._with_addresses()).items():
            self.adapters[name] = registry.build(name, settings)
            await self.adapters[name].start(ports)

    def _with_addresses(self) -> HubSettings:
        """An adapter's `base_url` with port 0 means the first HTTP listener, wherever that is."""
        ours = next(iter(self.http.addresses.values()), "")
        tables = {
            name: {**table, "base_url": ours} if str(table.get("base_url", "")).endswith(":0") else table
            for name, table in self.settings.adapters.items()
        }
        return self.settings.model_copy(update={"adapters": tables})

    def make_passwords(self) -> None:
        """Every declared station has a password; those that nobody chose are made here, for `busbar connect ocpp`."""
        chosen = self.settings.aliases()
        for _, station in self.settings.stations().values():
            if station.credential not in chosen:
                self.secrets.generate(station.credential)

    def admit_command_line(self) -> None:
        """This machine's command line is a user of its own."""
        self.http.users.admit(COMMAND_LINE, "admin", self.secrets.generate(COMMAND_LINE, 32))

    def places(self) -> tuple[str, ...]:
        """Where people and peers reach this hub: the HTTP listeners, then what adapters have bound themselves."""
        bound = ((name, place) for name, adapter in self.adapters.items() for place in adapter.health().listening)
        return (*self.http.addresses.values(), *(f"{name} at {place}" for name, place in bound))

    def _write_note(self) -> None:
        """`hub.json`: where the command line finds this hub."""
        listening = self.adapters["ocpp"].health().listening if "ocpp" in self.adapters else ()
        self.admit_command_line()
        note = {
            "token_file": str(self.secrets.path(COMMAND_LINE)),
            "pid": os.getpid(),
            "url": self.http.addresses.get(_nearest(self.settings.http), ""),
            "addresses": self.http.addresses,
            "ocpp": list(listening),
        }
        self._noted = True
        write_durably(self._note, json.dumps(note, indent=2).encode(), 0o644)


def _nearest(listeners: Sequence[HttpListener]) -> str:
    """The listener for this machine's command line: one with the API, without TLS if there is one (its certificate names another host)."""
    found = sorted(listeners, key=lambda one: ("api" not in one.mounts, one.tls is not None, not is_loopback(one.host)))
    return found[0].name if found else ""


async def run(settings: HubSettings, source: Path | None = None) -> None:
    """Run a hub until SIGTERM or SIGINT, or until a part of it fails."""
    hub = Hub(settings, source=source)
    stop = asyncio.Event()
    tasks: set[asyncio.Task[None]] = set()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await hub.start()
        asyncio.get_running_loop().add_signal_handler(
            signal.SIGHUP, lambda: tasks.add(asyncio.ensure_future(_again(hub)))
        )
        logger.info("busbar is up: %s", ", ".join(hub.places()))
        if not hub.settings.users:
            logger.info(
                "pages and API answer this machine alone, without a token; next: add [[users]] to let others in"
            )
        waiting = {asyncio.ensure_future(stop.wait()), asyncio.ensure_future(hub.failed())}
        done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        for task in done:
            task.result()
    finally:
        await hub.stop()


async def _again(hub: Hub) -> None:
    """SIGHUP: as `busbar reload`, told in the log."""
    try:
        logger.info("reloaded: %s", await hub.reload())
    except (SettingsError, NotStored) as error:
        logger.warning("not reloaded: %s", error)


def serve(settings: HubSettings, source: Path | None = None) -> None:
    """`busbar serve`: logs to stderr."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    asyncio.run(run(settings, source))
