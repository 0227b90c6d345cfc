"""An operator at the console: chooses, orders, confirms, and sees what came of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from playwright.async_api import Locator, expect

from tests.browser.chromium import PATIENCE_MS, Screen

OPERATOR = "Ada"

COLLECTIONS = ("webtasks", "webtasks-2", "webtasks-3", "webtasks-4", "cron_jobs")
TASKS, REHEARSED, KEYBOARD, STOPPED, ELSEWHERE = COLLECTIONS
"""The journey's collection, and those of the other tests."""

DOCUMENTS = 150
REDACTED = "token"


def task(number: int) -> dict[str, object]:
    """A document of the application, with something that nobody shall see in a log."""
    key = {"deployment_key": "auth0", "webtask_container": "main", "webtask_name": f"task-{number}"}
    return {**key, "code": f"return {number}", REDACTED: "s3cret-token"}


@dataclass(slots=True)
class Operator:
    """Does with one screen what a person does, by what a person sees: names, labels and words."""

    screen: Screen
    collection: str

    @property
    def verdict(self) -> Locator:
        """The collection's row on the board."""
        return self.screen.page.get_by_role("row").filter(has=self.link)

    @property
    def link(self) -> Locator:
        """What chooses the collection."""
        return self.screen.page.get_by_role("link", name=re.compile(rf"^{self.collection} "))

    @property
    def dialog(self) -> Locator:
        return self.screen.page.get_by_role("dialog")

    async def look(self) -> None:
        """Choose the collection, once the page is live."""
        page = self.screen.page
        await expect(page.get_by_role("status")).to_contain_text("Live from")
        await page.get_by_label("Your name").first.fill(OPERATOR)
        await self.link.click()
        await expect(page.get_by_role("heading", name=self.collection, exact=True)).to_be_visible()

    async def sees(self, words: str, patience: float = PATIENCE_MS) -> None:
        """The verdict says so, without anybody reloading."""
        await expect(self.verdict).to_contain_text(words, timeout=patience)

    async def open_order(self, label: str) -> None:
        """Press the button, and read the dry run."""
        await self.screen.page.get_by_role("button", name=f"{label}…", exact=True).click()
        await expect(self.dialog).to_contain_text("Dry run:")
        await expect(self.dialog).not_to_contain_text("looking, changing nothing")

    async def finds_all_well(self) -> None:
        """The dry run that is shown failed no check."""
        await expect(self.dialog).to_contain_text(re.compile(r"Dry run: ✓ all \d+ passed"))

    async def confirm(self, label: str, reason: str) -> None:
        """Say why, type the name, and do it."""
        go = self.dialog.get_by_role("button", name=label, exact=True)
        await expect(go).to_be_disabled()
        await self.dialog.get_by_label("Reason", exact=True).fill(reason)
        await expect(go).to_be_disabled()
        await self.dialog.get_by_label(f"Type {self.collection} to confirm").fill(self.collection)
        await go.click()

    async def order(self, label: str, reason: str) -> None:
        """All of it, and close."""
        await self.open_order(label)
        await self.confirm(label, reason)
        await expect(self.dialog.get_by_role("status")).to_contain_text("Done")
        await self.close()

    async def close(self) -> None:
        await self.dialog.get_by_role("button", name="Close").click()
        await expect(self.dialog).to_be_hidden()

    def job(self, kind: str) -> Locator:
        return self.screen.page.locator(f"[data-job='{kind}']")

    def panel(self, name: str) -> Locator:
        return self.screen.page.get_by_role("region", name=name, exact=True)
