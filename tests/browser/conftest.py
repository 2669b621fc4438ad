"""A real browser before a real hub; both live for the whole module, on one event loop."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.gateway.pages.conftest import Running, started
from tests.gateway.pages.depot import build

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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """The small night at 01:12."""
    made, log = build(tmp_path_factory.mktemp("hub"))
    running = await started(made, log, night=True)
    yield running
    await running.client.close()
    await made.stop()


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
async def visit(browser: Any, hub: Running) -> AsyncIterator[Visitor]:
    """Opens a page in a context of its own; nothing that it complains about goes unseen."""
    contexts: list[Any] = []

    async def _visit(path: str, *, width: int = 1440, height: int = 900, js: bool = True, **more: Any) -> Visit:
        context = await browser.new_context(viewport={"width": width, "height": height}, java_script_enabled=js, **more)
        contexts.append(context)
        visited = Visit(await context.new_page(), hub.base)
        visited.listen()
        await visited.open(path)
        return visited

    yield _visit
    for context in contexts:
        await context.close()
