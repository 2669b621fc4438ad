"""A real browser before the demo's night, as it stood at 01:12 and as it ended; everything lives for the whole module."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.browser.kept import ReadingHub, settings
from tests.played import SCENARIO, Played, played_once

playwright = pytest.importorskip(
    "playwright.async_api", reason="playwright is not installed; next: ./run test installs it"
)
CHROMIUM = Path(os.environ.get("BUSBAR_CHROMIUM", "/usr/bin/chromium"))
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NIGHT = datetime(2026, 11, 26, 0, 12, tzinfo=UTC)
"""01:12 at the depot: the limit is low, a charger is silent."""
END = datetime(2026, 11, 26, 6, 45, tzinfo=UTC)


@dataclass
class Visit:
    """A page in a browser, and everything that it complained about or asked for elsewhere."""

    page: Any
    base: str
    complaints: list[str] = field(default_factory=list)

    async def open(self, path: str) -> Any:
        """Go there and wait until it is drawn."""
        return await self.page.goto(self.base + path, wait_until="load")

    def listen(self) -> None:
        """Note console messages, errors, and requests that leave this hub."""
        self.page.on("console", lambda m: self.complaints.append(f"console: {m.text}"))
        self.page.on("pageerror", lambda e: self.complaints.append(f"error: {e}"))
        self.page.on("request", self._asked)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.base, "data:")):
            self.complaints.append(f"asked {request.url}")

    async def words(self, where: str = "main") -> str:
        """What a person reads there, in one line."""
        return " ".join((await self.page.locator(where).inner_text()).replace("\u00a0", " ").split())


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The night that `busbar demo` plays."""
    return played_once(tmp_path_factory)


async def _hub(played: Played, folder: Path, moment: datetime) -> AsyncIterator[ReadingHub]:
    hub = ReadingHub(settings(folder, SCENARIO), played.stored(), moment)
    await hub.start()
    yield hub
    await hub.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(played: Played, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ReadingHub]:
    """The night at 01:12."""
    async for hub in _hub(played, tmp_path_factory.mktemp("night"), NIGHT):
        yield hub


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ended(played: Played, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ReadingHub]:
    """The night at its end."""
    async for hub in _hub(played, tmp_path_factory.mktemp("end"), END):
        yield hub


Nights = dict[str, ReadingHub]


@pytest.fixture(scope="module")
def nights(hub: ReadingHub, ended: ReadingHub) -> Nights:
    """Both moments, by name."""
    return {"01:12": hub, "end": ended}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Any]:
    """Debian's chromium."""
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM}; next: apt-get install chromium, or set BUSBAR_CHROMIUM")
    async with playwright.async_playwright() as driver:
        found = await driver.chromium.launch(executable_path=str(CHROMIUM), args=list(ARGUMENTS))
        yield found
        await found.close()


Visitor = Callable[..., Any]


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser: Any, hub: ReadingHub) -> AsyncIterator[Visitor]:
    """Opens a page in a context of its own; nothing that it complains about goes unseen."""
    contexts: list[Any] = []

    async def _visit(
        path: str, *, at: ReadingHub = hub, width: int = 1440, height: int = 900, js: bool = True, **more: Any
    ) -> Visit:
        context = await browser.new_context(viewport={"width": width, "height": height}, java_script_enabled=js, **more)
        contexts.append(context)
        visited = Visit(await context.new_page(), at.http.addresses["local"])
        visited.listen()
        await visited.open(path)
        return visited

    yield _visit
    for context in contexts:
        await context.close()
