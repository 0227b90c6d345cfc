"""What the console answers over HTTP: the page, the picture, the log, and errors in order."""

from __future__ import annotations

import pytest

from proxy.console.pages import HEADERS, PAGE_SIZE, STATUSES, status_of
from proxy.core import errors
from proxy.core.comparison import Kind
from proxy.core.divergence import Divergence, FieldDifference
from proxy.core.errors import CrossfadeError
from proxy.core.stage import Stage
from tests.unit.console.counter import NAME, OURS, Counter, counter


def divergence(number: int) -> Divergence:
    found = (FieldDifference("secret", "(redacted)", "(redacted)"),)
    return Divergence(
        id=f"d{number}",
        collection=NAME,
        kind=Kind.TRUE_MISMATCH,
        key="{}",
        operation="get",
        epoch=1,
        primary_version=None,
        mirror_version=None,
        differences=found,
        first_seen=number,
        last_seen=number,
        replica="r1",
        trace_id="abc",
    )


@pytest.mark.parametrize("path", ["", "static/main.js", "api/picture", "api/nothing", "api/audit"])
async def test_every_answer_lets_a_browser_load_ours_alone(path: str) -> None:
    async with counter(Stage.MONGO_ONLY) as stand:
        answer = await stand.get(path)
    assert HEADERS.items() <= answer.headers.items()
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy


async def test_the_picture_has_everything_of_a_collection() -> None:
    async with counter(Stage.MONGO_PRIMARY) as stand:
        await stand.world.divergences.record(divergence(1))
        picture = (await stand.get("api/picture")).data
    (one,) = picture["collections"]
    assert (one["name"], one["stage"], one["epoch"], one["primary"], one["mirror"]) == (
        NAME,
        "MONGO_PRIMARY",
        1,
        "mongodb",
        "dynamodb",
    )
    assert one["verdict"]["tone"] == "wait" and "1 open divergence" in one["verdict"]["sentence"]
    assert one["divergences"] == {"TRUE_MISMATCH": 1}
    (gate,) = one["gates"]
    failed = {check["name"] for check in gate["checks"] if not check["passed"]}
    assert {"verify_clean", "backfill_complete", "no_open_divergences"} <= failed
    assert [replica["id"] for replica in picture["replicas"]] == ["r1"]
    assert picture["replicas"][0]["epochs"] == {NAME: 1}


async def test_looking_sends_no_canary() -> None:
    async with counter(Stage.MONGO_PRIMARY) as stand:
        await stand.get("api/picture")
        assert stand.world.mongo.table.records == stand.world.dynamo.table.records == {}


async def test_divergences_come_in_pages() -> None:
    count = PAGE_SIZE + 3
    async with counter(Stage.MONGO_PRIMARY) as stand:
        for number in range(count):
            await stand.world.divergences.record(divergence(number))
        first = (await stand.get("api/divergences?collection=jobs&state=open")).data
        second = (await stand.get(f"api/divergences?collection=jobs&before={first['next']}")).data
        others = (await stand.get("api/divergences?collection=jobs&kind=STUCK_LAG")).data
    ids = [row["id"] for row in first["divergences"] + second["divergences"]]
    assert ids == [f"d{number}" for number in reversed(range(count))]
    assert second["next"] is None and others["divergences"] == []
    assert first["divergences"][0]["differences"][0]["primary"] == "(redacted)"
    assert first["divergences"][0]["traceId"] == "abc"


@pytest.mark.parametrize("place", ["x", "12", "12:", ":d1", "²:d1"])
async def test_a_place_that_was_not_handed_out_is_refused(place: str) -> None:
    async with counter(Stage.MONGO_PRIMARY) as stand:
        answer = await stand.get(f"api/divergences?before={place}")
    assert answer.status == 400


async def test_a_host_that_is_not_ours_gets_nothing() -> None:
    """A foreign name that is pointed at a loopback address must not reach the console."""
    async with counter(Stage.MONGO_ONLY) as stand:
        for host in ("evil.example", "evil.example:8051", "127.0.0.1.evil.example", ""):
            answer = await stand.get("api/picture", Host=host)
            assert answer.status in (400, 403), host
            assert NAME not in answer.text
        for host in ("localhost:1", "127.0.0.1", "[::1]:8051"):
            assert (await stand.get("api/picture", Host=host)).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        OURS | {"Sec-Fetch-Site": "cross-site"},
        OURS | {"Sec-Fetch-Site": "same-site"},
        OURS | {"Origin": "http://evil.example"},
        OURS | {"Origin": "null"},
    ],
    ids=str,
)
async def test_another_site_can_change_nothing(headers: dict[str, str]) -> None:
    async with counter(Stage.MONGO_PRIMARY) as stand:
        answer = await stand.order("start-verify", headers=headers)
    assert answer.status == 403 and answer.data["error"]["reason"] == "NOT_ADMITTED"


async def test_no_other_origin_is_ever_allowed() -> None:
    async with counter(Stage.MONGO_PRIMARY) as stand:
        asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
        answer = await stand.get("api/picture", **asked)
    assert not any(name.lower().startswith("access-control") for name in answer.headers)


async def test_a_body_that_is_too_large_is_refused() -> None:
    async with counter(Stage.MONGO_PRIMARY) as stand:
        answer = await stand.order("start-verify", {"reason": "x" * 20_000})
    assert answer.status == 400


async def test_an_unknown_collection_is_not_found() -> None:
    async with counter(Stage.MONGO_PRIMARY) as stand:
        missing = await _post_elsewhere(stand)
    assert missing == 404


async def _post_elsewhere(stand: Counter) -> int:
    url = f"{stand.console.url}api/collections/nothing/cutover"
    async with stand.session.post(url, headers=OURS, json={}) as answer:
        return answer.status


def test_every_class_of_errors_has_a_status() -> None:
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    ours = [value for value in classes if issubclass(value, CrossfadeError)]
    assert len(ours) > 10
    assert {status_of(value("")) for value in ours} == set(STATUSES.values())
