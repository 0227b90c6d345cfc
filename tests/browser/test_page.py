"""The page shows what happens elsewhere, says when it is blind, bars nobody, and obeys no stranger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from playwright.async_api import Browser, Error, expect

from crossfade import Stage
from examples.demo.stack import console_of
from tests.browser.chromium import MISSING, Screen, find_chromium, open_screen
from tests.browser.operating import ELSEWHERE, KEYBOARD, TASKS, Operator
from tests.faults.site import Site

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(240),
    pytest.mark.skipif(find_chromium() is None, reason=MISSING),
]
PHONE = {"width": 375, "height": 740}
SENT_BLINDLY = """
    ([url, wish]) =>
        fetch(url, {method: "POST", mode: "no-cors", body: JSON.stringify(wish)}).catch(() => null)
"""


async def test_what_happens_elsewhere_is_seen_and_a_lost_proxy_is_said(site: Site, browser: Browser) -> None:
    """Another replica moves the stage; then the one that serves the page dies."""
    async with open_screen(browser, console_of(site.replicas[0].child)) as screen:
        ada = Operator(screen, ELSEWHERE)
        await ada.look()
        client = site.replicas[1].operator
        await client.move_stage(ELSEWHERE, Stage.MONGO_PRIMARY, reason="by the command line")
        await ada.sees("MONGO_PRIMARY")
        await ada.open_order("Stop mirroring")
        site.replicas[0].kill()
        try:
            await _is_blind(ada)
        finally:
            await site.revive(0)


async def _is_blind(ada: Operator) -> None:
    """It says so at once, and an order that gets no answer is not called failed."""
    await ada.confirm("Stop mirroring", "into the dark")
    await expect(ada.dialog).to_contain_text("may have been done all the same")
    await ada.dialog.get_by_role("button", name="Cancel").click()
    alert = ada.screen.page.get_by_role("alert").filter(has_text="Not live")
    await expect(alert).to_contain_text("do not decide on it")
    await expect(ada.screen.page.locator("#answer")).to_have_text("Unknown from here.")
    await ada.screen.picture("08-not-live")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_bars_nobody(site: Site, browser: Browser, scheme: str) -> None:
    """axe finds nothing on the page, nor in the dialog; on a phone nothing must be scrolled sideways."""
    url = console_of(site.replicas[0].child)
    async with open_screen(browser, url, color_scheme=scheme) as screen:
        ada = Operator(screen, TASKS)
        await ada.look()
        assert await screen.faults_of_access() == []
        orders = screen.page.get_by_role("group", name="Orders")
        await ada.open_order((await orders.get_by_role("button").first.inner_text()).removesuffix("…"))
        assert await screen.faults_of_access() == []
        await screen.picture(f"09-dialog-{scheme}", whole=False)
    async with open_screen(browser, url, color_scheme=scheme, viewport=PHONE) as screen:
        await Operator(screen, TASKS).look()
        assert await sideways(screen) == 0
        assert await screen.faults_of_access() == []
        await screen.picture(f"10-phone-{scheme}")
        assert screen.complaints == []


async def sideways(screen: Screen) -> int:
    wide: int = await screen.page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return wide


async def test_the_keyboard_alone_is_enough(site: Site, browser: Browser) -> None:
    """From the top of the page to a move and back out, without a mouse; focus stays in sight and survives
    what comes in live."""
    async with open_screen(browser, console_of(site.replicas[0].child)) as screen:
        page, ada = screen.page, Operator(screen, KEYBOARD)
        await expect(ada.link).to_be_visible()
        await _tab_to(screen, "Skip to the evidence")
        await _tab_to(screen, await ada.link.inner_text())
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name=KEYBOARD, exact=True)).to_be_visible()
        await _tab_to(screen, "Start mirroring…")
        outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
        await page.keyboard.press("Enter")
        await ada.finds_all_well()
        await page.keyboard.press("Escape")
        await expect(ada.dialog).to_be_hidden()
        await page.keyboard.press("Enter")
        await ada.finds_all_well()
        for words in ("Ada", "by keyboard", KEYBOARD):
            await page.keyboard.type(words)
            await page.keyboard.press("Tab")
        await _tab_to(screen, "Start mirroring")
        await page.keyboard.press("Enter")
        await expect(ada.dialog.get_by_role("status")).to_contain_text("Done")
        await _tab_to(screen, "Close")
        await page.keyboard.press("Enter")
        await ada.sees("MONGO_PRIMARY")
        assert screen.complaints == []


async def _tab_to(screen: Screen, name: str) -> None:
    for _ in range(60):
        if await _focused(screen) == name:
            return
        await screen.page.keyboard.press("Tab")
    pytest.fail(f"{name} cannot be reached by Tab")


async def _focused(screen: Screen) -> str:
    words: str = await screen.page.evaluate("document.activeElement.innerText.trim()")
    return words


@asynccontextmanager
async def stranger() -> AsyncIterator[str]:
    """Another site, whose page may try what it likes."""

    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<title>stranger</title>", content_type="text/html")

    application = web.Application()
    application.router.add_get("/", page)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        place = web.TCPSite(runner, "127.0.0.1", 0)
        await place.start()
        (address,) = runner.addresses
        yield f"http://127.0.0.1:{address[1]}/"
    finally:
        await runner.cleanup()


async def test_another_site_is_refused_by_browser_and_console(site: Site, browser: Browser) -> None:
    """Its page can neither order anything, with all that a real order has, nor read the picture."""
    replica = site.replicas[1]
    console, before = console_of(replica.child), await replica.status(KEYBOARD)
    wish = {"dry_run": False, "override": True, "actor": "x", "reason": "x", "confirmation": KEYBOARD}
    context = await browser.new_context()
    async with stranger() as url:
        page = await context.new_page()
        await page.goto(url)
        for verb in (
            "mirror",
            "unmirror",
        ):  # one of them would be done if it came from the console's own page
            async with page.expect_request(f"**/{KEYBOARD}/{verb}"):
                await page.evaluate(SENT_BLINDLY, [f"{console}api/collections/{KEYBOARD}/{verb}", wish])
        with pytest.raises(Error, match="Failed to fetch"):
            await page.evaluate("url => fetch(url)", f"{console}api/picture")
    await context.close()
    after = await replica.status(KEYBOARD)
    assert (after.stage, after.epoch) == (before.stage, before.epoch)
