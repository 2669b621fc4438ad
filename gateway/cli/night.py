"""One night: a hub on the held clock, the simulators around it over real sockets, and the document of what happened."""

from __future__ import annotations

import asyncio
import gc
import secrets as random_secrets
import signal
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.messages import Message
from gateway.cli.document import document
from gateway.clock import HeldClock
from gateway.settings.models import HubSettings
from gateway.wiring import Hub
from pki.folder import initialise
from simulators.night import Credentials, NightResult, play
from simulators.scenario import Scenario

STATIONS = "stations"
GATHER_S = 2.0
"""Nobody waits for rows during the night: they are written in large batches."""
STOP_S = 30.0
"""A hub that does not end by then is left: a night that failed must say so, not wait."""
TOKEN_A = "oscp-token-a"  # noqa: S105 because: it is the name of a secret, not one


class Night:
    """Builds the hub of the scenario, plays, and tells."""

    def __init__(
        self,
        scenario: Scenario,
        site: dict[str, Any],
        keep: Path,
        *,
        speed: float | None = None,
        say: Callable[[str], None] = print,
        stay: bool = False,
        ignore_grid: bool = False,
    ) -> None:
        """`ignore_grid`: the hub hears the grid operator and obeys it not; a test must see that."""
        self.scenario = scenario
        self.keep = keep
        self.say = say
        self.stay = stay
        self.clock = HeldClock(scenario.begin, speed=speed)
        self.acknowledged: set[str] = set()
        self._pki = initialise(keep / "pki", ["127.0.0.1", "localhost"], datetime.now(UTC))
        self.settings = self._settings(site, ignore_grid=ignore_grid)

    def _settings(self, site: dict[str, Any], *, ignore_grid: bool) -> HubSettings:
        group, source = self.scenario.dso.group, site["sources"][0]["id"]
        peer = {
            "name": "grid-operator",
            "site": self.scenario.site,
            "groups": {group: source},
            "token_ref": f"data:{TOKEN_A}",
            "heartbeat_interval_s": 600,
        }
        ocpp = {"host": "127.0.0.1", "port": 0, "tls": STATIONS, "security_profile": 2}
        oscp = {"base_url": "http://127.0.0.1:0", "peers": [peer]}
        if ignore_grid:
            site = {**site, "sources": []}
        return HubSettings.model_validate(
            {
                "gateway": "demo",
                "data": self.keep,
                "journal": {"live": False, "verify_at": ""},
                "http": [{"port": 0}],
                "tls": [{"name": STATIONS, "certificate": self._pki.certificate, "key": self._pki.key}],
                "sites": [site],
                "adapters": {"ocpp": {"listeners": [ocpp]}, "oscp": oscp},
            }
        )

    async def play(self) -> dict[str, Any]:
        """The night from its beginning to its end; returns the document of `busbar demo --json`."""
        self.clock.failure = asyncio.get_running_loop().create_future()
        hub = Hub(self.settings, clock=self.clock, gather_s=GATHER_S, projecting=self.stay)
        token = random_secrets.token_urlsafe(24)
        hub.secrets.put(f"data:{TOKEN_A}", token.encode())
        # What is there now stays: without this every collection walks the solver's and the schemas' objects again.
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)
        try:
            with self.clock.paused():
                await hub.start()
                hub.journal.appended.append(self._appended)
                night = asyncio.create_task(self._play(hub, token), name="night")
            result, told = await self._watched(hub, night)
            return document(self.scenario, self.settings.sites[0].config(), result, told, self.acknowledged)
        finally:
            with suppress(asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(hub.stop(), STOP_S)

    async def _watched(self, hub: Hub, night: asyncio.Task[Any]) -> tuple[NightResult, list[Message]]:
        """The night's result and all that was told in it, unless the hub or the clock fails before."""
        assert self.clock.failure is not None
        failed = asyncio.ensure_future(hub.failed())
        waiting: set[asyncio.Future[Any]] = {night, failed, self.clock.failure}
        try:
            while not night.done():
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done - {night}:
                    task.result()
            result: tuple[NightResult, list[Message]] = night.result()
            return result
        finally:
            failed.cancel()
            night.cancel()
            await asyncio.gather(night, failed, return_exceptions=True)

    async def _play(self, hub: Hub, token: str) -> tuple[NightResult, list[Message]]:
        stations = hub.settings.stations().values()
        passwords = {s.id: (hub.secrets.get(s.credential) or b"").decode() for _, s in stations}
        trust = ssl.create_default_context(cafile=str(self._pki.root))
        told: list[Message] = []

        async def at_end() -> None:
            with self.clock.paused():
                ending = asyncio.ensure_future(self._ended(hub))
                try:  # because: who is woken by the clock holds it, and this may take as long as it likes
                    told.extend(await self.clock.wait(ending, None, "the end of the night"))
                finally:
                    ending.cancel()

        result = await play(
            self.scenario,
            clock=self.clock,
            ocpp_url=f"wss://{hub.adapters['ocpp'].health().listening[0]}/ocpp",
            http_url=next(iter(hub.http.addresses.values())),
            credentials=Credentials(passwords, token, None, trust),
            on_event=self.say,
            on_closing=lambda station: self.clock.promise(f"lost:{station}"),
            at_end=at_end,
        )
        return result, told

    def _appended(self, messages: Sequence[Message]) -> None:
        self.acknowledged.update(message.id for message in messages)

    async def _ended(self, hub: Hub) -> list[Message]:
        """The hub ends before the chargers: else the last that it knows of the night is that all of them went silent."""
        hub.journal.appended.remove(self._appended)
        told = [message async for record in hub.log.read(0, follow=False) for message in record.messages]
        try:
            if self.stay:
                await self._serve(hub)
            await hub.stop()
        finally:  # because: whoever presses it twice must not spoil the stop
            asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
        return told

    async def _serve(self, hub: Hub) -> None:
        """Until Ctrl-C, which ends the pages alone: what the night came to is still told."""
        ended = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, ended.set)
        self.say(f"the pages stay open at {next(iter(hub.http.addresses.values()))}; Ctrl-C ends")
        await ended.wait()
