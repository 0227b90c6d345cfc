"""The assessment of a real MongoDB by its command: what it finds, what it leaves alone, how it ends."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bson
import pytest
from bson import Int64, ObjectId
from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase

from proxy.assess.assessor import Assessor, Wish
from proxy.assess.report import Report
from proxy.assessment import main
from proxy.config import load_collections
from proxy.core.survey import Shape
from proxy.stores.dynamo.weighing import Scales
from proxy.stores.mongo.survey import MongoSurvey, ReadingLimits
from tests.unit.assess.samples import prices

ROOT = Path(__file__).parents[2]
NAMES = ("deployment_key", "webtask_container", "webtask_name")


@pytest.fixture
async def database(mongodb_uri: str, unique_name: str) -> AsyncIterator[AsyncDatabase[dict[str, Any]]]:
    async with AsyncMongoClient[dict[str, Any]](mongodb_uri) as client:
        yield client[unique_name]
        await client.drop_database(unique_name)


async def assess(uri: str, *only: str, sample: int | None = None, **limits: Any) -> Report:
    async with MongoSurvey.open(uri, ReadingLimits(**limits), control="crossfade") as survey:
        wish = Wish(only, sample)
        return await Assessor(survey, Scales, prices(), wish, lambda line: None).run("2026-02-03")


def jobs(number: int) -> list[dict[str, Any]]:
    return [
        {
            "deployment_key": f"d{n % 3}",
            "webtask_container": f"c{n % 5}",
            "webtask_name": f"n{n}",
            "next_available_at": Int64(n),
        }
        for n in range(number)
    ]


async def as_the_article_had_it(database: AsyncDatabase[dict[str, Any]]) -> None:
    """Its collections with the indexes that it names, and nothing of Crossfade's."""
    unique = [(name, 1) for name in NAMES]
    for name in ("webtasks", "webtask_storage", "cron_jobs"):
        await database[name].create_index(unique, unique=True)
        await database[name].insert_many(jobs(200))
    await database.cron_jobs.create_index([("deployment_key", 1), ("next_available_at", 1)])


async def test_the_article_gets_what_the_article_chose(
    mongodb_uri: str, database: AsyncDatabase[dict[str, Any]], tmp_path: Path
) -> None:
    await as_the_article_had_it(database)
    report = await assess(mongodb_uri, database.name)
    assert report.is_ready
    file = tmp_path / "collections.yaml"
    file.write_text(report.declarations)
    found = {each.name: each for each in load_collections(file)}
    chosen = {each.name: each for each in load_collections(ROOT / "examples/collections.yaml")}
    for name in ("webtasks", "webtask_storage", "cron_jobs"):
        assert found[name].key == chosen[name].key
        assert found[name].table == chosen[name].table
    [queue], [work_queue] = found["cron_jobs"].indexes, chosen["cron_jobs"].indexes
    assert (queue.kind, queue.fields, queue.sort_attribute) == (
        work_queue.kind,
        work_queue.fields,
        work_queue.sort_attribute,
    )
    assert found["webtasks"].indexes == found["webtask_storage"].indexes == ()


async def test_recorded_calls_are_read_without_their_values(
    mongodb_uri: str, database: AsyncDatabase[dict[str, Any]]
) -> None:
    await as_the_article_had_it(database)
    await database.command("profile", 2)
    jobs = database.cron_jobs
    due = {"deployment_key": "d1", "next_available_at": {"$lte": 50}}
    for _ in range(3):
        await jobs.find_one_and_update(due, {"$set": {"taken": "a secret"}}, sort=[("next_available_at", 1)])
    await jobs.find({"deployment_key": "d1", "webtask_container": "c1"}).to_list()
    await jobs.update_many({"deployment_key": "d1"}, {"$set": {"seen": True}})
    await (await jobs.aggregate([{"$group": {"_id": "$deployment_key"}}])).to_list()
    await database.command("profile", 0)
    [report] = (await assess(mongodb_uri, f"{database.name}.cron_jobs")).collections
    seen = {call.shape: (call.calls.count, call.served.name) for call in report.calls}
    assert seen == {
        Shape(
            "findAndModify",
            ("deployment_key",),
            ("next_available_at",),
            order=(("next_available_at", 1),),
        ): (3, "LOCAL"),
        Shape("find", ("deployment_key", "webtask_container")): (1, "TABLE"),
        Shape("update", ("deployment_key",), is_multi=True): (1, "UNSUPPORTED"),
        Shape("aggregate", other=("$group",)): (1, "UNSUPPORTED"),
    }
    assert "secret" not in repr(report)


async def test_documents_that_do_not_fit_are_found_in_what_mongod_stores(
    mongodb_uri: str, database: AsyncDatabase[dict[str, Any]]
) -> None:
    one = b"\x10n\0\1\0\0\0"
    doubled = b"\x10_id\0\1\0\0\0" + one + one
    invalid = b"\x10_id\0\2\0\0\0\x02t\0\2\0\0\0\xff\0"
    raw = database.get_collection("odd", codec_options=bson.CodecOptions(document_class=RawBSONDocument))
    for body in (doubled, invalid):
        document = (len(body) + 5).to_bytes(4, "little") + body + b"\0"
        await raw.insert_one(RawBSONDocument(document))
    await database.odd.insert_many(
        [
            {"_id": 3, "blob": b"x" * 420_000},
            {"_id": 4, "": "empty"},
            {"_id": 5, "n": float("inf")},
            *({"_id": number} for number in range(10, 300)),
        ]
    )
    [report] = (await assess(mongodb_uri, database.name)).collections
    assert {fault.value: found.kept for fault, found in report.evidence.faults.items()} == {
        "duplicate_names": ["1"],
        "invalid_utf8": ["2"],
        "too_large": ["3"],
        "empty_name": ["4"],
        "number_range": ["5"],
    }
    assert (report.evidence.read, report.verdict.value) == (295, "after changes")


async def test_the_options_of_collections_are_seen(
    mongodb_uri: str, database: AsyncDatabase[dict[str, Any]]
) -> None:
    await database.create_collection("capped", capped=True, size=4096)
    await database.create_collection("german", collation={"locale": "de"})
    await database.create_collection("series", timeseries={"timeField": "at"})
    await database.create_collection("seen", viewOn="capped", pipeline=[])
    schema = {
        "$jsonSchema": {"required": ["a"], "additionalProperties": False, "properties": {"_id": {}, "a": {}}}
    }
    await database.create_collection("closed", validator=schema)
    await database.create_collection("open", validator={"a": {"$exists": True}})
    await database.create_collection("mortal")
    await database.mortal.create_index("at", expireAfterSeconds=3600)
    found = (await assess(mongodb_uri, database.name)).collections
    told = {
        each.facts.name: ({finding.kind for finding in each.findings}, each.verdict.value) for each in found
    }
    assert told == {
        "capped": ({"capped"}, "cannot"),
        "closed": ({"validator"}, "after changes"),
        "german": ({"collation", "no_key"}, "cannot"),
        "mortal": ({"ttl"}, "ready"),
        "open": ({"validator"}, "ready"),
        "seen": ({"view"}, "cannot"),
        "series": ({"time_series"}, "cannot"),
    }


async def test_a_sample_bounds_the_reading(mongodb_uri: str, database: AsyncDatabase[dict[str, Any]]) -> None:
    await database.many.insert_many([{"n": n} for n in range(5000)])
    [report] = (await assess(mongodb_uri, database.name, sample=50, batch=20)).collections
    assert (report.evidence.read, report.facts.documents, report.is_complete) == (50, 5000, False)
    assert report.scale == 100


async def test_reading_stops_when_its_time_is_over(
    mongodb_uri: str, database: AsyncDatabase[dict[str, Any]]
) -> None:
    """A scan of 5 ms of the server's time ends early, and what was read stands for the rest."""
    await database.many.insert_many([{"n": n, "pad": "x" * 500} for n in range(20_000)])
    [report] = (await assess(mongodb_uri, database.name, scan=0.005, batch=200)).collections
    assert report.evidence.read < 20_000
    assert not report.is_complete


async def fingerprint(client: AsyncMongoClient[dict[str, Any]], name: str) -> Any:
    """What a database holds: contents, collections with their options, indexes."""
    database = client[name]
    cursor = await database.list_collections()
    options = sorted([(each["name"], repr(each["options"])) for each in await cursor.to_list()])
    content = (await database.command("dbHash"))["md5"]
    indexes = {
        each: await (await database[each].list_indexes()).to_list()
        for each in await database.list_collection_names()
    }
    return content, options, indexes, sorted(await client.list_database_names())


async def test_nothing_is_written(mongodb_uri: str, database: AsyncDatabase[dict[str, Any]]) -> None:
    await as_the_article_had_it(database)
    before = await fingerprint(database.client, database.name)
    status = await database.client.admin.command("serverStatus")
    await assess(mongodb_uri, database.name)
    await assess(mongodb_uri, database.name, sample=20)
    assert await fingerprint(database.client, database.name) == before
    after = await database.client.admin.command("serverStatus")
    for word in ("inserted", "updated", "deleted"):
        assert after["metrics"]["document"][word] == status["metrics"]["document"][word]


async def test_documents_of_a_running_migration_are_seen_without_its_marks(
    mongodb_uri: str, database: AsyncDatabase[dict[str, Any]]
) -> None:
    mark = {"e": 1, "r": Int64(5), "op": bytes(16), "ops": []}
    await database.things.insert_many(
        [
            {"_id": "a", "n": 1, "_cf": mark},
            {"_id": "b", "_cf": mark | {"del": datetime.now(UTC)}},
            {"_id": "c", "n": 2},
        ]
    )
    [report] = (await assess(mongodb_uri, database.name)).collections
    assert report.evidence.read == 2
    assert report.evidence.documents.total == len(bson.encode({"_id": "a", "n": 1})) * 2


async def command(*words: str) -> tuple[int, str, str]:
    """The command as people type it, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("crossfade")), "assess", *words,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    out, error = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode is not None
    return process.returncode, out.decode(), error.decode()


async def test_the_command_writes_all_its_files(
    mongodb_uri: str, database: AsyncDatabase[dict[str, Any]], tmp_path: Path
) -> None:
    await as_the_article_had_it(database)
    page, text, file = (tmp_path / name for name in ("a.html", "a.md", "a.yaml"))
    code, out, error = await command(
        mongodb_uri, "--only", database.name, "--html", str(page), "--markdown", str(text),
        "--collections-to", str(file), "--json", "--sample", "100",
    )  # fmt: skip
    assert code == 0, error
    data = json.loads(out)
    assert [each["read"] for each in data["collections"]] == [100, 100, 100]
    assert page.read_text().startswith("<!doctype html>")
    assert text.read_text().startswith("# Can it move?")
    assert len(load_collections(file)) == 3
    assert error.count("reading ") == 3


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=300"], 3, "no primary that answers"),
        (["mongodb://127.0.0.1:1", "--sample", "none"], 2, "whole number above 0"),
        (["mongodb://127.0.0.1:1", "--prices", "/nowhere"], 2, "/nowhere"),
    ],
)
def test_how_the_command_fails(
    words: Sequence[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        ended = main(words)
    except SystemExit as exit:
        ended = int(str(exit.code))
    assert ended == code
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


async def test_what_must_change_first_is_told_by_the_exit_code(
    mongodb_uri: str, database: AsyncDatabase[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    await database.odd.insert_one({"_id": ObjectId(), "blob": b"x" * 420_000})
    code = await asyncio.to_thread(main, [mongodb_uri, "--only", database.name, "--quiet"])
    captured = capsys.readouterr()
    assert (code, captured.err) == (1, "")
    assert "larger than the 400 KB" in captured.out
