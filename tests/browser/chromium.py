"""A real Chromium, driven by Playwright: found on this machine, and watched for what a page may not do."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright, expect

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "build" / "screenshots"
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = "no Chromium on this machine: apt-get install chromium, then run it again"

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_DESK = {"width": 1280, "height": 900}
PATIENCE_MS = 20_000


def find_chromium() -> str | None:
    """The program, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass(slots=True)
class Screen:
    """One page; `complaints` is what its console, its script and its policy said that they should not."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    async def picture(self, name: str, *, whole: bool = True) -> None:
        """Keep what is seen, for a person to look at."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=PICTURES / f"{name}.png", full_page=whole)

    async def faults_of_access(self) -> list[str]:
        """What axe finds that bars a person with a screen reader, a keyboard or weak sight, a line each."""
        # Through the debugger, which the page's own policy does not bind.
        await self.page.evaluate(AXE.read_text())
        rules = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}
        found: Mapping[str, Any] = await self.page.evaluate(
            "rules => axe.run(document, {runOnly: rules})", rules
        )
        assert len(found["passes"]) > 10, "axe has looked at next to nothing"
        return [
            f"{one['id']} ({one['help']}): {node['html'][:120]} {node['failureSummary'][:200]}"
            for one in found["violations"]
            for node in one["nodes"]
        ]


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """Headless, for as long as the block runs."""
    program = find_chromium()
    assert program, MISSING
    expect.set_options(timeout=PATIENCE_MS)  # of what is expected of a page; clicks have the context's
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def open_screen(browser: Browser, url: str, **options: Any) -> AsyncIterator[Screen]:
    """A page in a context of its own; `options` are those of a Playwright context."""
    context = await browser.new_context(**{"viewport": _DESK, "reduced_motion": "reduce", **options})
    context.set_default_timeout(PATIENCE_MS)
    try:
        page = await context.new_page()
        screen = Screen(page)
        page.on("pageerror", lambda error: screen.complaints.append(f"script: {error}"))
        page.on("console", lambda said: _note(screen, said.type, said.text))
        page.on("request", lambda asked: _note_foreign(screen, asked.url, url))
        await page.goto(url)
        yield screen
    finally:
        await context.close()


def _note(screen: Screen, kind: str, text: str) -> None:
    if kind in ("error", "warning"):
        screen.complaints.append(f"{kind}: {text}")


def _note_foreign(screen: Screen, asked: str, own: str) -> None:
    """It must work without internet: nothing is asked of anybody but the proxy."""
    if not asked.startswith(own):
        screen.complaints.append(f"asks elsewhere: {asked}")
