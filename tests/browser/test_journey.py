"""The operator's whole journey by clicking in a real Chromium, against two real proxies and real stores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, expect

from crossfade import AsyncClient, JobKind, Stage
from examples.demo.stack import console_of, dynamodb_client
from tests.browser.chromium import MISSING, find_chromium, open_screen
from tests.browser.operating import DOCUMENTS, REDACTED, REHEARSED, STOPPED, TASKS, Operator, task
from tests.faults.site import Site

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(240),
    pytest.mark.skipif(find_chromium() is None, reason=MISSING),
]
SLOW_MS = 60_000


@asynccontextmanager
async def readers(site: Site) -> AsyncIterator[None]:
    """Clients that read through both proxies while the block runs, so that there is something to compare."""

    async def read(client: AsyncClient) -> None:
        number = 0
        while True:
            number = (number + 1) % DOCUMENTS
            await client[TASKS].find_one(_key(number))
            await asyncio.sleep(0.02)

    async with AsyncClient(site.addresses) as client:
        task = asyncio.create_task(read(client))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _key(number: int) -> dict[str, object]:
    return {name: task(number)[name] for name in ("deployment_key", "webtask_container", "webtask_name")}


async def spoil(site: Site, number: int) -> None:
    """Change a document in DynamoDB behind everybody's back, its version untouched."""
    (collection,) = [one for one in site.stack.collections if one.name == TASKS]
    dynamodb = dynamodb_client(site.stack.stores.dynamodb)
    key = {"deployment_container": {"S": "auth0/main"}, "webtask_name": {"S": f"task-{number}"}}
    change = {
        "UpdateExpression": "SET code = :code, #secret = :secret",
        "ExpressionAttributeNames": {"#secret": REDACTED},
        "ExpressionAttributeValues": {":code": {"S": "return 666"}, ":secret": {"S": "an0ther-token"}},
        "ConditionExpression": "attribute_exists(webtask_name)",
    }
    await asyncio.to_thread(dynamodb.update_item, TableName=collection.table, Key=key, **change)


async def test_an_operator_moves_a_collection_there_and_back(site: Site, browser: Browser) -> None:
    """From MONGO_ONLY to DYNAMO_PRIMARY and back, with a divergence on the way."""
    url = console_of(site.replicas[0].child)
    assert url
    async with open_screen(browser, url, color_scheme="light") as screen:
        ada = Operator(screen, TASKS)
        await ada.look()
        await ada.sees("ready to start mirroring")
        await screen.picture("01-not-mirrored")
        await ada.order("Start mirroring", "the first step")
        await ada.sees("not yet: no verify has run, no backfill has run")
        await _backfill_and_verify(ada)
        async with readers(site):
            await _watch_the_match_rate(ada)
            await _meet_a_divergence(site, ada)
            await _cut_over(ada)
        await _roll_back(ada)
        assert screen.complaints == []


async def _backfill_and_verify(ada: Operator) -> None:
    for kind in ("backfill", "verify"):
        await ada.order(f"Start {kind}", f"a {kind} before the cutover")
        await expect(ada.job(kind)).to_contain_text("finished", timeout=SLOW_MS)
    await ada.sees("safe to cut over")
    await expect(ada.screen.page.locator("#answer")).to_have_text(f"Yes: {TASKS}.")


async def _watch_the_match_rate(ada: Operator) -> None:
    """In words and as a curve."""
    rate = ada.panel("Match rate of shadow reads")
    await expect(rate).to_contain_text("100 %", timeout=SLOW_MS)
    await expect(rate.get_by_role("img", name="Match rate since")).to_be_visible(timeout=SLOW_MS)
    await expect(rate.locator("canvas")).to_be_visible(timeout=SLOW_MS)
    await ada.screen.picture("02-safe")


async def _meet_a_divergence(site: Site, ada: Operator) -> None:
    """It appears by itself, hides what is secret, closes the gate, and is repaired."""
    page = ada.screen.page
    await spoil(site, 7)
    await ada.sees("1 open divergence", SLOW_MS)
    row = page.locator(".divergence").first
    await row.locator("summary").click()
    sides = row.get_by_role("region", name="Both sides")
    await expect(sides.get_by_role("row", name="code")).to_contain_text("return 7")
    await expect(sides.get_by_role("row", name="code")).to_contain_text("return 666")
    await expect(sides.get_by_role("row", name=REDACTED)).to_contain_text("(redacted)")
    assert "s3cret" not in await page.content() and "an0ther" not in await page.content()
    await ada.screen.picture("03-divergence")
    await _dry_run_a_closed_gate(ada)
    await row.get_by_role("button", name="Repair…").click()
    await ada.finds_all_well()
    await ada.confirm("Repair", "it was planted")
    await expect(ada.dialog.get_by_role("status")).to_contain_text("Done")
    await ada.close()
    await ada.sees("safe to cut over")


async def _dry_run_a_closed_gate(ada: Operator) -> None:
    await ada.open_order("Cut over")
    failed = ada.dialog.get_by_role("listitem").filter(has_text="no open divergences")
    await expect(failed).to_contain_text("failed")
    await ada.screen.picture("04-closed-gate", whole=False)
    await expect(ada.dialog.get_by_label("Override the failed checks")).to_be_visible()
    await ada.dialog.get_by_role("button", name="Cancel").click()
    await expect(ada.dialog).to_be_hidden()


async def _cut_over(ada: Operator) -> None:
    await ada.open_order("Cut over")
    await ada.finds_all_well()
    await ada.screen.picture("05-cutover", whole=False)
    await ada.confirm("Cut over", "soaked for a week")
    await expect(ada.dialog.get_by_role("status")).to_contain_text("Done", timeout=SLOW_MS)
    await expect(ada.dialog).to_contain_text("reads and writes waited")
    await ada.screen.picture("06-done", whole=False)
    await ada.close()
    await ada.sees("DYNAMO_PRIMARY")
    await expect(ada.panel("Replicas and their epochs")).to_contain_text("replica-1")


async def _roll_back(ada: Operator) -> None:
    await ada.sees("safe to roll back", SLOW_MS)
    await ada.screen.picture("07-cut-over")
    await ada.order("Roll back", "higher latency than expected")
    await ada.sees("MONGO_PRIMARY")
    trail = ada.screen.page.get_by_role("region", name="Audit trail")
    await expect(trail).to_contain_text("higher latency than expected")
    await expect(trail).to_contain_text("Ada (console, 127.0.0.1)")


async def test_a_rehearsal_past_a_closed_gate_goes_back_when_it_is_aborted(
    site: Site, browser: Browser
) -> None:
    """Nobody verified: the gate is closed, is overridden in so many words, and the audit trail has it."""
    await site.move(REHEARSED, Stage.MONGO_PRIMARY)
    url = console_of(site.replicas[0].child)
    async with open_screen(browser, url, color_scheme="dark") as screen:
        ada = Operator(screen, REHEARSED)
        await ada.look()
        await ada.sees("not yet: no verify has run", SLOW_MS)
        await ada.open_order("Rehearse")
        await ada.dialog.get_by_label("For how many seconds").fill("600")
        await ada.dialog.get_by_label("Override the failed checks").check()
        await ada.confirm("Rehearse", "to see the latency")
        await expect(ada.dialog.get_by_role("status")).to_contain_text("Done", timeout=SLOW_MS)
        await ada.close()
        await ada.sees("rehearsing DynamoDB as primary")
        await screen.picture("11-rehearsing-dark")
        await ada.order("Abort", "seen enough")
        await ada.sees("MONGO_PRIMARY", SLOW_MS)
        await expect(ada.panel("Last rehearsal")).to_contain_text("Hold back", timeout=SLOW_MS)
        trail = screen.page.get_by_role("region", name="Audit trail")
        await expect(trail).to_contain_text("override")
        await expect(trail).to_contain_text("seen enough")
        await screen.picture("12-rehearsed-dark")
        assert screen.complaints == []


async def test_a_backfill_is_stopped_and_goes_on(site: Site, browser: Browser) -> None:
    """Slowed down until somebody has stopped it and had it go on."""
    operator = site.replicas[0].operator
    async with AsyncClient(site.addresses) as client:
        await asyncio.gather(*(client[STOPPED].insert_one(task(number)) for number in range(60)))
    await site.move(STOPPED, Stage.MONGO_PRIMARY)
    await operator.start_job(STOPPED, JobKind.BACKFILL, max_rate=0.5)
    async with open_screen(browser, console_of(site.replicas[0].child)) as screen:
        ada = Operator(screen, STOPPED)
        await ada.look()
        await expect(ada.job("backfill")).to_contain_text("running")
        await ada.order("Stop backfill", "the stores are busy")
        await expect(ada.job("backfill")).to_contain_text("paused", timeout=SLOW_MS)
        await screen.picture("14-paused")
        await ada.order("Start backfill", "they are idle again")
        await expect(ada.job("backfill")).to_contain_text("running", timeout=SLOW_MS)
        await operator.start_job(STOPPED, JobKind.BACKFILL, max_rate=0)
        await expect(ada.job("backfill")).to_contain_text("finished", timeout=SLOW_MS)
        assert screen.complaints == []
