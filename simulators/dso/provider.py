"""A capacity provider after OSCP 2.0: HTTP server and client, registration by token exchange, handshake, heartbeats, forecasts."""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from simulators.clock import Clock, SystemClock
from simulators.dso.record import LimitRecord, Stated
from simulators.dso.script import Block, DsoScript, Forecast

log = logging.getLogger(__name__)

VERSION = "2.0"
PREFIX = "/oscp/cp/2.0"
WHO = "dso"
_RETRY = timedelta(seconds=10)
_TRIES = 5
_ANSWER_WITHIN = timedelta(seconds=120)
_DEFAULT_INTERVAL_S = 300

Body = dict[str, Any]


class NoPartner(Exception):
    """The flexibility provider could not be reached, or did not go on with the conversation; the text says which step."""


class CapacityProvider:
    """The grid operator: `record` is what it knows to be in force, `received` what the hub told it."""

    def __init__(self, script: DsoScript, url: str, token: str, clock: Clock) -> None:
        self.script, self.clock = script, clock
        self.record = LimitRecord(script.rating_kw, script.fallback_kw)
        self.received: list[tuple[datetime, str, Body]] = []
        self._peer_url, self._out = url.rstrip("/"), token
        self._in = secrets.token_urlsafe(24)
        self._interval_s = _DEFAULT_INTERVAL_S
        self._numbers = itertools.count(1)
        self._awaited: dict[str, asyncio.Future[Body]] = {}
        self._http: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None
        self._port = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._failed: asyncio.Future[None] | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen, and begin the night's conversation."""
        app = web.Application(client_max_size=262_144)
        app.router.add_route("*", PREFIX + "/{action}", self._serve)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self._url = f"http://{host}:{self._port}{PREFIX}"
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))
        self._spawn(self._night(), WHO)

    async def stop(self) -> None:
        """End the conversation and the listener."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def problem(self) -> BaseException | None:
        """Why the conversation ended early, if it did."""
        ended = [task for task in self._tasks if task.done() and not task.cancelled()]
        return next((task.exception() for task in ended if task.exception()), None)

    def failed(self) -> asyncio.Future[None]:
        """Fails when the conversation breaks off, at once."""
        self._failed = asyncio.get_running_loop().create_future()
        return self._failed

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.append(asyncio.create_task(self._watched(work), name=name))

    async def _watched(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except NoPartner as broken:
            if self._failed is not None and not self._failed.done():
                self._failed.set_exception(broken)
            raise

    # The night

    async def _night(self) -> None:
        await self.clock.sleep_until(self.script.begin, WHO)
        await self._register()
        await self._handshake()
        self._spawn(self._heartbeats(), f"{WHO}:heartbeat")
        acts = sorted([*self.script.forecasts, *self._returns()], key=lambda act: act.at)
        for act in acts:
            await self.clock.sleep_until(act.at, WHO)
            if act.type == "HANDSHAKE":
                await self._handshake()
            else:
                await self._forecast(act)

    def _returns(self) -> list[Forecast]:
        again = self.script.handshake_again
        return [Forecast(again, (), "HANDSHAKE")] if again else []

    async def _register(self) -> None:
        """Offer our token and address; the peer calls back with its own (OSCP 2.0, registration)."""
        callback = self._expect("register")
        versions = [{"version": VERSION, "base_url": self._url}]
        await self._post("register", {"token": self._in, "version_url": versions})
        answer = await self._await(callback, "register")
        try:
            self._out = str(answer["token"])
            self._peer_url = str(answer["version_url"][0]["base_url"]).rstrip("/")
        except (KeyError, IndexError, TypeError) as missing:
            raise NoPartner(f"the peer's register lacks {missing}") from missing
        log.info("registered; the peer answers at %s", self._peer_url)

    async def _handshake(self) -> None:
        acknowledged = self._expect("handshake_acknowledge")
        wanted = {"heartbeat_interval": 900, "measurement_configuration": []}
        await self._post("handshake", {"required_behaviour": wanted})
        self.record.contacts.append((self.clock.now(), None))
        answer = await self._await(acknowledged, "handshake_acknowledge")
        asked = (answer.get("required_behaviour") or {}).get("heartbeat_interval")
        self._interval_s = int(asked or _DEFAULT_INTERVAL_S)
        log.info("handshake acknowledged; heartbeats every %d s", self._interval_s)

    async def _heartbeats(self) -> None:
        who = f"{WHO}:heartbeat"
        while True:
            now = self.clock.now()
            silent, again = self.script.silent_from, self.script.handshake_again
            if silent is not None and silent <= now and (again is None or now < again):
                await self.clock.sleep_until(again or self.script.end, who)
            await self._beat(who)
            await self.clock.sleep_until(self.clock.now() + timedelta(seconds=self._interval_s), who)

    async def _beat(self, who: str) -> None:
        now = self.clock.now()
        offline_at = now + timedelta(seconds=self._interval_s * self.script.beats_ahead)
        await self._post("heartbeat", {"offline_mode_at": _stamp(offline_at)}, who)
        self.record.contacts.append((now, offline_at))
        log.info("heartbeat; without another the fallback holds from %s", _stamp(offline_at))

    async def _forecast(self, forecast: Forecast) -> None:
        await self._post(
            "update_group_capacity_forecast",
            {
                "group_id": self.script.group,
                "type": forecast.type,
                "forecasted_blocks": [_block(block) for block in forecast.blocks],
            },
        )
        now = self.clock.now()
        for block in forecast.blocks:
            begins, ends = _stamp(block.begins), _stamp(block.ends)
            log.info("%s taken: %g kW from %s to %s", forecast.type, block.kw, begins, ends)
        if forecast.type == "CONSUMPTION":
            self.record.stated += [Stated(now, b.begins, b.ends, b.kw) for b in forecast.blocks]

    # HTTP

    async def _post(self, action: str, body: Body, who: str = WHO) -> None:
        """Send one request, time held until its answer; tried again on the clock.

        Raises:
            NoPartner: it did not answer 204 in five tries.
        """
        said = ""
        for attempt in range(_TRIES):
            if attempt:
                await self.clock.sleep_until(self.clock.now() + _RETRY, who)
            with self.clock.hold(who):
                said = await self._try(action, body)
            if not said:
                return
            log.info("%s: %s", action, said)
        raise NoPartner(f"{action} to {urlsplit(self._peer_url).netloc}: {said}")

    async def _try(self, action: str, body: Body) -> str:
        """An empty text for success, else what went wrong."""
        assert self._http is not None
        headers = {"Authorization": f"Token {self._out}", "X-Request-ID": f"dso-{next(self._numbers)}"}
        try:
            async with self._http.post(f"{self._peer_url}/{action}", json=body, headers=headers) as answer:
                return "" if answer.status == 204 else f"HTTP {answer.status} {(await answer.text())[:200]}"
        except (aiohttp.ClientError, TimeoutError) as problem:
            return str(problem) or type(problem).__name__

    async def _serve(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Token {self._in}":
            return web.json_response({"message": "unknown token"}, status=401)
        try:
            body = await request.json() if request.can_read_body else {}
        except ValueError:
            return web.json_response({"message": "the body is not JSON"}, status=400)
        action = request.match_info["action"]
        self.received.append((self.clock.now(), action, body))
        waiting = self._awaited.pop(action, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(body)
        return web.Response(status=204)

    def _expect(self, action: str) -> asyncio.Future[Body]:
        self._awaited[action] = asyncio.get_running_loop().create_future()
        return self._awaited[action]

    async def _await(self, answer: asyncio.Future[Body], step: str) -> Body:
        try:
            return await self.clock.wait(answer, self.clock.now() + _ANSWER_WITHIN, WHO)
        except TimeoutError as late:
            raise NoPartner(f"the peer did not call {step} within {_ANSWER_WITHIN.total_seconds():.0f} s") from late


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _block(block: Block) -> Body:
    return {
        "capacity": block.kw,
        "phase": "ALL",
        "unit": "KW",
        "start_time": _stamp(block.begins),
        "end_time": _stamp(block.ends),
    }


async def run_dso(
    script: DsoScript, url: str, token: str, *, host: str = "127.0.0.1", port: int = 0, clock: Clock | None = None
) -> LimitRecord:
    """The operator's night against any flexibility provider at `url`; returns what it knows to have been in force.

    Raises:
        NoPartner: the conversation broke off.
    """
    clock = clock or SystemClock()
    provider = CapacityProvider(script, url, token, clock)
    await provider.start(host, port)
    try:
        with suppress(TimeoutError):
            await clock.wait(provider.failed(), script.end, "dso:end")
        return provider.record
    finally:
        await provider.stop()
