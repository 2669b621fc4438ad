"""Answers reads from a data folder while no hub runs: the same handlers in process, no listener, nothing appended."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from core.ports import Clock, HttpRequest
from core.site import SiteState
from gateway.api.mount import lists
from gateway.api.reads import Reads
from gateway.api.routes import BASE, guarded
from gateway.cli.errors import NO, UNREACHABLE, USAGE, CliError, plain
from gateway.clock import SystemClock
from gateway.http.routes import Route, Routes
from gateway.journal import highwater, opening
from gateway.journal.chain import Chain
from gateway.journal.lock import Locked
from gateway.journal.log import Damaged
from gateway.journal.opening import OpenJournal, open_journal, state_in
from gateway.journal.process import CannotStart
from gateway.readmodels import ReadModels
from gateway.replay import replay as replay_log

LOCAL = "127.0.0.1"


class LastMoment(SystemClock):
    """A clock that stands at the journal's newest moment, so that an old night is read as it ended."""

    def __init__(self, models: ReadModels) -> None:
        super().__init__()
        self._models = models

    def now(self) -> Any:
        """The newest moment that the journal knows."""
        return self._models.moment or super().now()


class Folder:
    """A data folder that is open for reading; `get` answers as the running hub does."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._runner = asyncio.Runner()
        self._routes = Routes()
        self._journal: OpenJournal
        self.models: ReadModels

    def start(self) -> None:
        """Open journal and read models, and bring these up to date.

        Raises:
            CliError: there is no journal, a hub has it, or it is damaged.
        """
        with _told(self._data):
            if owner := owner_of(self._data):
                raise CliError("the data folder is another user's", str(self._data), as_user(owner), UNREACHABLE)
            self._runner.run(self._start())

    async def _start(self) -> None:
        self._journal = await open_journal(self._data, read_only=True)
        self.models = ReadModels(f"sqlite+aiosqlite:///{self._data / 'readmodels.sqlite'}")
        await self.models.open()
        await self.models.catch_up(self._journal.log)
        clock: Clock = LastMoment(self.models)
        states: dict[str, SiteState] = {}
        for endpoint in lists(Reads(self.models, self._journal.log, clock, states.get)):
            self._routes.add(Route("GET", endpoint.full, "api", "viewer", 0, handler=guarded(endpoint.handler)))

    def stop(self) -> None:
        """Close everything."""
        self._runner.run(self._stop())
        self._runner.close()

    async def _stop(self) -> None:
        if hasattr(self, "models"):
            await self.models.close()
        if hasattr(self, "_journal"):
            await self._journal.close()

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """The JSON document at `/api/v1` + path.

        Raises:
            CliError: it says no.
        """
        methods, named = self._routes.find(BASE + path)
        route = methods.get("GET")
        if route is None or route.handler is None:
            raise CliError(f"nothing is served at {path}", str(self._data), "see docs/reference/api.md", USAGE)
        query = {key: str(value) for key, value in (params or {}).items() if value is not None}
        query.pop("after", None)  # because: all that there is was read already
        request = HttpRequest("GET", BASE + path, named, query, {}, b"", LOCAL)
        answer = self._runner.run(_called(route, request))
        document = json.loads(answer.body)
        if answer.status >= 400:
            raise CliError(str(document["detail"]), str(self._data), str(document["next"]), NO)
        return document

    def rebuild(self) -> dict[str, Any]:
        """Drop the read models and make them again."""
        return self._whole(self.models.rebuild(self._journal.log))

    def replay(self, *, verify: bool) -> dict[str, Any]:
        """Fold the journal again and decide again."""
        return self._whole(replay_log(self._journal.log, verify=verify))

    def _whole(self, reading: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
        """What reads the whole journal, which may come to a record that cannot be read."""
        with _told(self._data):
            return self._runner.run(reading)


def owner_of(data: Path) -> str | None:
    """Whose journal it is, where root looks at another user's: what root makes there its owner could not write any more."""
    state = state_in(data)
    if os.geteuid() != 0 or not state.is_dir() or (owner := state.stat().st_uid) == 0:
        return None
    try:
        return pwd.getpwuid(owner).pw_name
    except KeyError:
        return f"#{owner}"


def as_user(owner: str) -> str:
    """How to look at that user's journal."""
    return f"run it as that user: sudo -u '{owner}' busbar ..."


@contextmanager
def _told(data: Path) -> Iterator[None]:
    """What keeps a data folder from being read, as an error of ours."""
    try:
        yield
    except FileNotFoundError as error:
        raise CliError(str(error), "", "name another data folder with --data", UNREACHABLE) from None
    except Damaged as error:
        what, step = f"the journal is damaged: {error}", "restore it from its last backup"
        raise CliError(what, str(data), step, NO) from None
    except Locked as error:
        raise CliError(str(error), "", "see whether a hub runs", UNREACHABLE) from None
    except CannotStart as error:
        raise CliError(str(error), str(data), "see the server's log", UNREACHABLE) from None
    except OSError as error:
        denied = "let this user read and write the folder, or name another with --data"
        step = denied if isinstance(error, PermissionError) else "see whether a hub runs"
        raise CliError(f"the journal cannot be opened: {plain(error)}", str(data), step, UNREACHABLE) from None
    except SQLAlchemyError as error:
        why = getattr(error, "orig", None) or error  # the library speaks of the statement, the database says why
        step = "let this user write readmodels.sqlite in it, or remove that file: it is made again from the journal"
        raise CliError(f"the read models cannot be written: {why}", str(data), step, UNREACHABLE) from None


async def _called(route: Route, request: HttpRequest) -> Any:
    assert route.handler is not None
    return await route.handler(request)


@contextmanager
def open(data: Path) -> Iterator[Folder]:
    """The data folder, opened for reading.

    Raises:
        gateway.cli.errors.CliError: it cannot be.
    """
    folder = Folder(data)
    try:
        folder.start()
        yield folder
    finally:
        folder.stop()


def checked(data: Path, within_s: float) -> tuple[int, bool]:
    """Check the journal of a folder that no hub has open: as a hub does at its start, then all of it, if that takes no longer.

    Returns:
        The number of its last record, and whether all of it was read.

    Raises:
        gateway.cli.errors.CliError: it is damaged, or cannot be opened.
    """

    async def check() -> tuple[int, bool]:
        journal = await open_journal(data, read_only=True)
        try:
            mark = highwater.load(state_in(data) / "high_water")
            if mark is not None:
                await opening.check(journal.log, mark)
            with suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    return await journal.log.verify(Chain()), True
            return await journal.log.last(), False
        finally:
            await journal.close()

    with _told(data):
        return asyncio.run(check())


def replay(data: Path, *, verify: bool = False) -> dict[str, Any]:
    """Fold the journal of a data folder again; see `gateway.replay.replay`."""
    with open(data) as folder:
        return folder.replay(verify=verify)


def rebuild(data: Path) -> dict[str, Any]:
    """Drop the read models of a data folder and make them again; says whether they came out the same."""
    with open(data) as folder:
        return folder.rebuild()
