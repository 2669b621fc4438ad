"""Ports for the OSCP adapter over real HTTP, and a plain capacity provider made of an HTTP server and client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from aiohttp import ClientSession, web

from core.messages import Body, Message, Position, line, load
from core.messages.gateway import PeerChanged
from core.ports import Clock, Handler, HttpRequest, KnownStation, NotStored, Ports, TokenAnswer, Wish
from protocols.oscp.adapter import OscpAdapter
from protocols.oscp.settings import Peer, Settings
from tests.waiting import until

T = TypeVar("T")
B = TypeVar("B", bound=Body)
T0 = datetime(2026, 11, 25, 20, tzinfo=UTC)
FIRST = "token-a-from-the-letter"


class HandClock:
    """Time that moves only when a test says so."""

    def __init__(self) -> None:
        self._now = T0
        self._due: list[tuple[datetime, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._now

    async def sleep_until(self, moment: datetime, who: str) -> None:
        if moment <= self._now:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._due.append((moment, future))
        await future

    async def wait(self, future: Awaitable[T], until: datetime | None, who: str) -> T:
        inner = asyncio.ensure_future(future)
        if until is None:
            return await inner
        timer = asyncio.ensure_future(self.sleep_until(until, who))
        await asyncio.wait({inner, timer}, return_when=asyncio.FIRST_COMPLETED)
        timer.cancel()
        if inner.done():
            return inner.result()
        raise TimeoutError

    def hold(self, who: str) -> AbstractContextManager[None]:
        return nullcontext()

    async def advance(self, seconds: float, *, sleeper: bool = False) -> None:
        """Let time pass; with `sleeper` once somebody sleeps until a moment ahead, so that the pause begins now."""
        if sleeper:
            await until(lambda: any(not f.done() for _, f in self._due))
        target = self._now + timedelta(seconds=seconds)
        while True:
            self._due = [d for d in self._due if not d[1].done()]
            ready = sorted((d for d in self._due if d[0] <= target), key=lambda d: d[0])
            if not ready:
                break
            self._now = ready[0][0]
            ready[0][1].set_result(None)
            await asyncio.sleep(0.02)
        self._now = target
        await asyncio.sleep(0.01)


class Recorder:
    """A journal in memory that also answers as directory: everything goes through the wire form of messages."""

    def __init__(self) -> None:
        self.records: list[tuple[str, list[Message]]] = []
        self.full = False

    async def append(self, site: str, messages: Sequence[Message]) -> Position:
        await asyncio.sleep(0)
        if self.full:
            raise NotStored("full")
        self.records.append((site, [load(line(m)) for m in messages]))
        return Position(len(self.records), 0)

    @property
    def messages(self) -> list[Message]:
        return [m for _, record in self.records for m in record]

    def bodies(self, kind: type[B]) -> list[B]:
        return [m.body for m in self.messages if isinstance(m.body, kind)]

    def of(self, kind: type[Body]) -> list[Message]:
        return [m for m in self.messages if isinstance(m.body, kind)]

    @property
    def text(self) -> str:
        return "\n".join(line(m) for m in self.messages)

    def station(self, identity: str) -> KnownStation | None:
        return None

    def token(self, site: str, token: str) -> TokenAnswer:
        return TokenAnswer(False, "unknown")

    def partner(self, adapter: str, name: str) -> Mapping[str, Any] | None:
        found = [b.state for b in self.bodies(PeerChanged) if (b.adapter, b.peer) == (adapter, name)]
        return found[-1] if found else None

    def follow(self, site: str) -> AsyncIterator[Wish]:
        raise NotImplementedError("this adapter follows no wishes")


class Kept:
    """Secrets in memory."""

    def __init__(self, **values: str) -> None:
        self.values = {k: v.encode() for k, v in values.items()}

    def get(self, ref: str) -> bytes | None:
        return self.values.get(ref)

    def put(self, ref: str, value: bytes) -> None:
        assert ref.startswith("data:")
        self.values[ref] = value

    def server(self, name: str) -> None:
        return None


class Host:
    """An HTTP host on an ephemeral port."""

    def __init__(self) -> None:
        self.app = web.Application()
        self.url = ""
        self.holding: Callable[[str], AbstractContextManager[None]] = lambda who: nullcontext()

    def route(self, method: str, path: str, handler: Handler, max_body: int) -> None:
        async def serve(request: web.Request) -> web.Response:
            body = await request.read()
            if len(body) > max_body:
                return web.Response(status=413)
            headers = {k.lower(): v for k, v in request.headers.items()}
            asked = HttpRequest(method, request.path, request.match_info, {}, headers, body, request.remote or "")
            with self.holding("host"):
                answer = await handler(asked)
            return web.Response(
                status=answer.status, body=answer.body or None, headers={"Content-Type": answer.content_type}
            )

        self.app.router.add_route(method, path, serve)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        runner = web.AppRunner(self.app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


@dataclass
class Call:
    """A request that the grid operator got."""

    action: str
    headers: Mapping[str, str]
    body: Any


@dataclass
class GridOperator:
    """A plain OSCP capacity provider."""

    url: str = ""
    hub: str = ""
    session: ClientSession | None = None
    token: str = FIRST
    """What it calls the hub with."""
    calls: list[Call] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    """Statuses of its next answers; 204 when empty."""
    numbers: int = 0
    echo: bool = False
    """Whether its answers say what it was asked with, as a page for a developer does."""

    async def serve(self, request: web.Request) -> web.Response:
        text = await request.text()
        call = Call(request.path.rsplit("/", 1)[1], dict(request.headers), json.loads(text) if text else None)
        self.calls.append(call)
        status = self.answers.pop(0) if self.answers else 204
        if status == 204 and call.action == "register":
            self.token = call.body["token"]
        if self.echo:
            return web.Response(status=500, text=f"you said {call.headers['Authorization']}")
        return web.Response(status=status)

    async def send(self, action: str, data: object, *, method: str = "POST", **headers: str) -> tuple[int, str]:
        """Send a request; `data` as JSON, bytes as they are. Header names with `_` for `-`."""
        assert self.session is not None
        self.numbers += 1
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        sent = {"Authorization": f"Token {self.token}", "X-Request-ID": f"r-{self.numbers}"}
        sent |= {k.replace("_", "-"): v for k, v in headers.items()}
        sent = {k: v for k, v in sent.items() if v}
        async with self.session.request(method, f"{self.hub}/{action}", data=body, headers=sent) as answer:
            return answer.status, await answer.text()

    def named(self, action: str) -> list[Call]:
        return [c for c in self.calls if c.action == action]

    async def got(self, action: str, number: int = 1) -> Call:
        """The n-th call of that action, once it has come."""
        await until(lambda: len(self.named(action)) >= number)
        return self.named(action)[number - 1]

    async def register(self, token: str = "token-b") -> None:
        """The whole registration, begun by the grid operator."""
        versions = [{"version": "2.0", "base_url": self.url}]
        status, text = await self.send("register", {"token": token, "version_url": versions})
        assert (status, text) == (204, "")
        await self.got("register")

    async def greet(self, interval: int | None = 300) -> None:
        behaviour = {"heartbeat_interval": interval, "measurement_configuration": []} if interval else {}
        status, _ = await self.send("handshake", {"required_behaviour": behaviour} if interval else {})
        assert status == 204
        await self.got("handshake_acknowledge")


class Setting:
    """One hub side (adapter and ports) beside one grid operator."""

    def __init__(self, operator: GridOperator, clock: Clock | None = None) -> None:
        self.operator = operator
        self.hand = HandClock()
        self.clock: Clock = clock or self.hand
        self.journal = Recorder()
        self.secrets = Kept(letter=FIRST)
        self.counted: list[tuple[str, Mapping[str, str]]] = []
        self.host = Host()
        self.adapter = OscpAdapter(Settings())

    def ports(self, epoch: int = 1) -> Ports:
        return Ports(
            journal=self.journal, desired=self.journal, directory=self.journal, http=self.host, secrets=self.secrets,
            tls=self.secrets, clock=self.clock, gateway="gw", epoch=epoch, sites=("depot",),
            report=lambda name, labels: self.counted.append((name, labels)),
        )  # fmt: skip

    async def reasons(self, number: int = 1) -> list[str]:
        """Reason codes of what was quarantined, once there are so many."""
        await until(lambda: len(self._quarantined()) >= number)
        return self._quarantined()

    def _quarantined(self) -> list[str]:
        return [str(m.body.model_dump()["reason"]) for m in self.journal.messages if m.type == "evidence.quarantined"]

    @asynccontextmanager
    async def running(self, epoch: int = 1, **changes: object) -> AsyncIterator[Setting]:
        """The adapter between its start and its stop; again with the same journal is a restart."""
        values = {"name": "dso", "site": "depot", "groups": {"G1": "oscp"}, "token_ref": "letter", **changes}
        if values.get("start") == "us":
            values["url"] = self.operator.url
        self.host = Host()
        settings = Settings(base_url="http://127.0.0.1:1", peers=(Peer.model_validate(values),))
        self.adapter = OscpAdapter(settings)
        await self.adapter.start(self.ports(epoch))
        async with self.host.running() as url:
            self.operator.hub = f"{url}/oscp/fp/2.0"
            try:
                yield self
            finally:
                await self.adapter.stop()


@asynccontextmanager
async def grid_operator() -> AsyncIterator[GridOperator]:
    """A capacity provider that listens."""
    operator = GridOperator()
    app = web.Application()
    app.router.add_route("*", "/oscp/cp/2.0/{action}", operator.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    operator.url = f"http://127.0.0.1:{runner.addresses[0][1]}/oscp/cp/2.0"
    async with ClientSession() as session:
        operator.session = session
        try:
            yield operator
        finally:
            await runner.cleanup()
