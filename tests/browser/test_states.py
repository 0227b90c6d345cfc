"""What the page makes of rare states: moving, an alarm, jobs in every state, long names, nothing at all.

The picture is painted by a replica in memory and then changed, so that its shape is the real one.
"""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from proxy.console import watching
from proxy.console.desk import Desk
from proxy.console.picture import paint
from proxy.core.stage import Stage
from tests.browser.chromium import MISSING, find_chromium, open_screen
from tests.browser.test_page import PHONE, sideways
from tests.unit.console.counter import Counter, counter

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(120),
    pytest.mark.skipif(find_chromium() is None, reason=MISSING),
]
LONG = "a_collection_with_a_rather_long_name_of_its_own"
DESK, HALF = {"width": 1280, "height": 900}, {"width": 820, "height": 900}


def states(picture: dict[str, Any]) -> dict[str, Any]:
    """The picture with one collection for each state that a real site shows but for a moment."""
    well: dict[str, Any] = picture["collections"][0]
    now: int = picture["at"]

    def one(name: str, tone: str, word: str, sentence: str, **changed: Any) -> dict[str, Any]:
        verdict = {"tone": tone, "word": word, "sentence": sentence}
        return {**copy.deepcopy(well), "name": name, "verdict": verdict, **changed}

    def job(state: str, **changed: Any) -> dict[str, Any]:
        known = {"state": state, "isClean": False, "epoch": 1, "startedAt": now - 20_000, "updatedAt": now}
        counted = {"counts": {"copied": 200}, "message": "", "total": 500, "done": 200, "rate": 25.0}
        return known | counted | {"workers": 2} | changed

    change = {"target": "DYNAMO_PRIMARY", "step": "drain", "holdsWrites": True, "startedAt": now - 400}
    change |= {"actor": "Ada (console, 127.0.0.1)", "reason": "soaked", "coordinator": "r1"}
    lost = job("failed", counts={"lag_ms": 3200}, message="its history does not reach back")
    jobs = {"backfill": job("paused"), "verify": job("failed", message="DynamoDB did not answer")}
    running = {"backfill": job("finished", isClean=True), "verify": job("running")}
    return picture | {
        "collections": [
            one("moving", "busy", "Moving", "moving to DYNAMO_PRIMARY: drain", change=change, jobs=running),
            one("lost", "alarm", "Alarm", "not yet: the feed has failed", feed=lost, jobs=jobs),
            one(LONG, "done", "Finished", "finished: MongoDB is out of use", stage="DYNAMO_ONLY", gates=[]),
        ]
    }


@pytest_asyncio.fixture(loop_scope="session")
async def stand(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Counter]:
    async def painted(desk: Desk) -> dict[str, Any]:
        told: dict[str, Any] = await paint(desk)
        return states(told)

    monkeypatch.setattr(watching, "paint", painted)
    async with counter(Stage.MONGO_PRIMARY) as opened:
        yield opened


@pytest.mark.parametrize(
    ("scheme", "viewport"), [("light", DESK), ("dark", HALF), ("light", PHONE)], ids=["desk", "half", "phone"]
)
async def test_rare_states_are_told_and_fit(
    stand: Counter, browser: Browser, scheme: str, viewport: dict[str, int]
) -> None:
    url = stand.console.url
    async with open_screen(browser, url, color_scheme=scheme, viewport=viewport) as screen:
        page = screen.page
        await page.get_by_role("link", name="lost").click()
        await expect(page.locator("#answer")).to_have_text("Stop: look at lost first.")
        row = page.locator("[data-row='lost']")
        await expect(row).to_contain_text("feed failed")
        await expect(row).to_contain_text("! paused")
        await expect(row).to_contain_text("✕ failed")
        await expect(page.get_by_role("button", name="Cut over…")).not_to_have_class("main")
        await expect(page.locator("[data-job='verify']")).to_contain_text("DynamoDB did not answer")
        assert await sideways(screen) == 0
        assert await screen.faults_of_access() == []
        await screen.picture(f"13-states-{viewport['width']}")
        await page.get_by_role("link", name="moving").click()
        await expect(page.get_by_text("reads and writes wait")).to_be_visible()
        await expect(page.get_by_role("button", name="Abort…")).to_be_visible()
        await expect(page.get_by_role("button", name="Stop verify…")).to_be_visible()
        await expect(page.locator("[data-job='verify']")).to_contain_text("40 %, about 12 s left")
        assert await sideways(screen) == 0
        assert screen.complaints == []


async def test_no_collection_at_all_is_said(
    monkeypatch: pytest.MonkeyPatch, stand: Counter, browser: Browser
) -> None:
    async def bare(desk: Desk) -> dict[str, Any]:
        return await paint(desk) | {"collections": []}

    monkeypatch.setattr(watching, "paint", bare)
    async with open_screen(browser, stand.console.url) as screen:
        await expect(screen.page.locator("#verdicts")).to_contain_text("No collection is declared")
        assert screen.complaints == []
