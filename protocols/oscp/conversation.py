"""What we say to one peer by ourselves: registration, acknowledgement, heartbeats; answered first, then called, retried on the clock."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from core.messages import Message, identify
from core.messages.base import canonical
from core.messages.gateway import PeerChanged
from core.ports import NotStored, Ports
from protocols.common.seal import Sealed
from protocols.common.times import write_time
from protocols.oscp.client import Answer, Client
from protocols.oscp.evidence import PROTOCOL, Evidence
from protocols.oscp.segments import Segments
from protocols.oscp.settings import Peer, Settings
from protocols.oscp.translate import behaviour

_log = logging.getLogger("busbar.oscp")
Job = Callable[[], Awaitable[None]]
MAX_JOBS = 64
AGAIN = timedelta(minutes=15)
"""Pause before a registration that we begin is tried anew."""
BEATS = 3
"""We count as offline after so many heartbeats of ours that did not arrive."""


class Conversation:
    """One peer: its lasting state, its tokens, and the task that talks to it.

    Lasting state (`peer.changed`): `registered`, `base_url`, `version`, references `in` (the token it calls us with),
    `in_before` (still good until the newer one has arrived), `out` (the token that we call it with), `owes` (what we
    still have to say for requests that were answered: action, our request id, its correlation id), `ours` (a registration
    that we began is under way), `heartbeat_s` (the interval it asked us for), `problem`.
    """

    def __init__(self, peer: Peer, settings: Settings, ports: Ports, client: Client, evidence: Evidence) -> None:
        self.peer = peer
        self.settings = settings
        self.ports = ports
        self.evidence = evidence
        self.state: dict[str, Any] = dict(ports.directory.partner(PROTOCOL, peer.name) or {})
        self.lock = asyncio.Lock()
        self.segments = Segments(settings.max_segments, settings.max_body_bytes * 4)
        self.last_contact: datetime | None = None
        self.fresh_until: datetime | None = None
        self._client = client
        self._who = f"oscp:{peer.name}"
        self._jobs: deque[Job] = deque()
        self._wake: asyncio.Future[None] | None = None
        self._due: dict[str, datetime] = {}
        self._task: asyncio.Task[None] | None = None
        self._requests = 0

    # -- life cycle ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take up the conversation where the journal says that it stands."""
        for step in self.owed:
            self.then(partial(self.say, step))
        if self.peer.start == "us" and not self.state.get("registered"):
            self._due["register"] = self.ports.clock.now()
        self.beat_now()
        self._task = asyncio.create_task(self._run(), name=self._who)

    async def stop(self) -> None:
        """Stop talking; what is under way is begun again after the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def then(self, job: Job) -> None:
        """Do this from the peer's own task, after the answer that is being given."""
        if len(self._jobs) >= MAX_JOBS:
            _log.warning("%s: more than %d requests wait to be sent; the oldest is dropped", self._who, MAX_JOBS)
            self._jobs.popleft()
        self._jobs.append(job)
        self._look()

    def beat_now(self) -> None:
        """Our next heartbeat is due, if the peer wants any."""
        if self.state.get("registered") and self.state.get("heartbeat_s"):
            self._due["heartbeat"] = self.ports.clock.now()
            self._look()

    def _look(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def _run(self) -> None:
        while True:
            job = await self._next()
            if job is None:
                continue
            await self.ports.clock.sleep_until(self.ports.clock.now(), self._who)
            try:
                await job()
            except NotStored:
                _log.warning("%s: the journal takes nothing; this step is tried again", self._who)
                pause = timedelta(seconds=self.settings.retry_s)
                await self.ports.clock.sleep_until(self.ports.clock.now() + pause, self._who)
                self._jobs.appendleft(job)
            except Exception:  # noqa: BLE001 because: the adapter's boundary, a peer's task never ends by an error
                _log.exception("%s: a step of the conversation failed", self._who)

    async def _next(self) -> Job | None:
        """The next thing to do: what was asked for first, then what is due; None after a wait."""
        now = self.ports.clock.now()
        if self._jobs:
            return self._jobs.popleft()
        for kind, job in (("register", self.begin_registration), ("heartbeat", self.beat)):
            if kind in self._due and self._due[kind] <= now:
                del self._due[kind]
                return job
        await self._until(min(self._due.values(), default=None))
        return None

    async def _until(self, moment: datetime | None) -> None:
        """Wait until then, or until there is something to do."""
        self._wake = asyncio.get_running_loop().create_future()
        with suppress(TimeoutError):
            await self.ports.clock.wait(self._wake, moment, self._who)

    # -- tokens ----------------------------------------------------------------------------------------------------

    def token(self, key: str) -> bytes | None:
        """The token behind a reference in the state (`in`, `in_before`, `out`); an empty one is none."""
        ref = self.state.get(key)
        return (self.ports.secrets.get(str(ref)) or None) if ref else None

    def first_token(self) -> bytes | None:
        """Token A, unless it was used up by a registration."""
        token = self.ports.secrets.get(self.peer.token_ref) or None
        return None if token == self.ports.secrets.get(self._ref("used")) else token

    async def use_up(self) -> None:
        """Token A has done its work."""
        await self.keep(self._ref("used"), self.ports.secrets.get(self.peer.token_ref) or b"")

    async def keep(self, ref: str, token: bytes) -> None:
        """Store a token; durable when this returns."""
        await asyncio.to_thread(self.ports.secrets.put, ref, token)

    def fresh_ref(self, kind: str) -> str:
        """A reference that no earlier token of this peer has: the old one stays readable until the new one is used."""
        taken = {self.state.get(k) for k in ("in", "in_before", "out")}
        number = 1
        while self._ref(f"{kind}.{number}") in taken:
            number += 1
        return self._ref(f"{kind}.{number}")

    def _ref(self, kind: str) -> str:
        return f"data:oscp.{self.peer.name}.{kind}"

    # -- state -----------------------------------------------------------------------------------------------------

    @property
    def owed(self) -> list[dict[str, Any]]:
        """What we still have to say, oldest first."""
        return list(self.state.get("owes") or ())

    def changed(self, state: Mapping[str, Any], causes: tuple[str, ...] = ()) -> Message:
        """The lasting state as a fact; what is None is left out."""
        kept = {k: v for k, v in state.items() if v is not None}
        body = PeerChanged(adapter=PROTOCOL, peer=self.peer.name, state=kept)
        return self.evidence.message(body, self.peer.name, self.peer.site, causes)

    def take(self, state: Mapping[str, Any]) -> None:
        """This state is durable now: go by it."""
        self.state = {k: v for k, v in state.items() if v is not None}
        if not (self.state.get("registered") and self.state.get("heartbeat_s")):
            self._due.pop("heartbeat", None)

    async def change(self, changes: Mapping[str, Any], *, done: Mapping[str, Any] | None = None) -> None:
        """Append the changed state, in which the step `done` is not owed any more; then go by it."""
        async with self.lock:
            owes = [step for step in self.owed if step != done]
            state = {**self.state, "owes": owes or None, **changes}
            if {k: v for k, v in state.items() if v is not None} != self.state:
                await self.ports.journal.append(self.peer.site, [self.changed(state)])
                self.take(state)

    # -- what we say -----------------------------------------------------------------------------------------------

    async def say(self, step: Mapping[str, Any]) -> None:
        """Say what is owed for a request of the peer, until it is taken or given up; then it is not owed any more."""
        if step not in self.owed:
            return
        action = step["action"]
        data = self._registration() if action == "register" else behaviour(self.peer)
        taken = await self.call(action, data, "out", request=step["id"], correlation=step.get("correlation"))
        if step not in self.owed:
            return  # because: meanwhile the peer began anew or left; what it asked for since then counts
        if action == "register":
            await self._registered(step, taken)
        else:
            await self.change({}, done=step)
            self.beat_now()

    async def _registered(self, step: Mapping[str, Any], taken: bool) -> None:
        """Our half of a registration has arrived, and the peer's first token is spent; or it was given up."""
        if taken:
            await self.use_up()
        done = {"registered": True, "in_before": None, "problem": None}
        await self.change(done if taken else {"problem": "registration_unanswered"}, done=step)

    async def begin_registration(self) -> None:
        """Send our versions with token A; the peer calls back with its token."""
        first = self.first_token()
        if first is None or self.state.get("registered"):
            _log.warning("%s: token A is missing or used; next: ask the peer for a new one", self._who)
            return
        if not (self.state.get("ours") and self.token("in")):  # because: the peer may know the one of an earlier try
            await self.change({"in": await self.mint(), "ours": True, "base_url": self.peer.url})
        if not await self.call("register", self._registration(), first):
            await self.change({"problem": "registration_unanswered"})
            self._due["register"] = self.ports.clock.now() + AGAIN

    async def beat(self) -> None:
        """Send one heartbeat and plan the next."""
        every = timedelta(seconds=int(self.state.get("heartbeat_s") or 0))
        if not every or not self.state.get("registered"):
            return
        now = self.ports.clock.now()
        self._due["heartbeat"] = now + every
        await self.call("heartbeat", {"offline_mode_at": write_time(now + BEATS * every)}, "out")

    async def mint(self) -> str:
        """The reference of a new token for the peer to call us with; durable when this returns."""
        ref = self.fresh_ref("in")
        await self.keep(ref, secrets.token_urlsafe(32).encode())
        return ref

    def _registration(self) -> dict[str, Any]:
        token = self.token("in") or b""
        versions = [{"version": "2.0", "base_url": self.settings.public_url}]
        return {"token": token.decode(), "version_url": versions}

    # -- one request, with its retries -----------------------------------------------------------------------------

    async def call(
        self,
        action: str,
        data: Mapping[str, Any],
        token: str | bytes,
        *,
        request: str = "",
        correlation: str | None = None,
    ) -> bool:
        """Send a request until the peer takes it, at most so often as configured; each step is in the journal.

        A heartbeat is not repeated while the peer waits for something else: that one says the same, and more.
        """
        headers = {"content-type": "application/json", "x-request-id": request or self._request_id()}
        headers |= self.peer.headers
        if correlation:
            headers["x-correlation-id"] = correlation
        body = canonical(data).encode()
        for attempt in range(1, self.settings.tries + 1):
            if await self._try(action, headers, body, token):
                return True
            if attempt < self.settings.tries:
                again = self.ports.clock.now() + timedelta(seconds=self.settings.retry_s * attempt)
                if action != "heartbeat":
                    await self.ports.clock.sleep_until(again, self._who)
                elif not self._jobs:
                    await self._until(again)
                if action == "heartbeat" and self._jobs:
                    return False
        _log.warning("%s: %s was not taken in %d tries", self._who, action, self.settings.tries)
        return False

    def _request_id(self) -> str:
        """Unique by gateway, start, moment and running number; on a simulated clock the same in every run."""
        self._requests += 1
        ports = self.ports
        return identify(PROTOCOL, ports.gateway, ports.epoch, self.peer.name, ports.clock.now(), self._requests)

    async def _try(self, action: str, headers: Mapping[str, str], body: bytes, token: str | bytes) -> bool:
        """One try: evidence first, then the request, then evidence of the answer."""
        url = f"{str(self.peer.url or self.state.get('base_url')).rstrip('/')}/{self.peer.paths.get(action, action)}"
        secret = self.token(token) if isinstance(token, str) else token
        if secret is None:
            _log.warning("%s: there is no token for %s; next: register anew", self._who, action)
            return False
        sending = {**headers, "authorization": f"{self.peer.auth_scheme} {secret.decode('utf-8', 'replace')}"}
        subject, where = f"POST {action}", (self.peer.name, self.peer.site)
        sent = self.evidence.sent(*where, subject, self.evidence.frame(self.peer.site, subject, sending, body))
        await self.ports.journal.append(self.peer.site, [sent])
        with self.ports.clock.hold(self._who):
            answer = await self._client.send("POST", url, sending, body)
        self.ports.report("frames_sent", {"protocol": PROTOCOL, "version": "2.0"})
        said = self.evidence.without(self.peer.site, secret.decode("utf-8", "replace"), self._said(answer))
        got = self.evidence.received(*where, f"answer to {subject}", said, (sent.id,))
        await self.ports.journal.append(self.peer.site, [got])
        return answer.ok

    def _said(self, answer: Answer) -> Sealed:
        start = f"HTTP {answer.status}" if answer.status else "no answer"
        return self.evidence.frame(self.peer.site, start, {}, answer.text.encode())
