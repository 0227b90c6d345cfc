"""An export of a real MongoDB, imported by plain puts into a real DynamoDB, caught up and verified."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from decimal import Decimal
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest
from bson import Decimal128, Int64
from bson.datetime_ms import DatetimeMS

from proxy.core.errors import Refused, Unavailable
from proxy.core.exchange import Segment
from proxy.core.manifest import ExportFile, Manifest, read_manifest
from proxy.core.stage import Published, Stage, StoreName
from proxy.faultpoint import armed
from proxy.reconcile.exporting import adopt, export
from proxy.reconcile.verify import verify
from proxy.stores.dynamo.files import ExportFolder, import_arguments
from tests.integration.real_site import RealSite, open_site

NUMBER = 300
ODD = [
    {"n": 1.5, "d": Decimal128("1.50"), "at": DatetimeMS(-5), "bytes": b"\x00\xff", "l": [1, {"": None}]},
    {"n": Int64(2**62), "text": "ü\0~", "e": ""},
    {"n": float("inf"), "deep": {"a": {"b": {"c": [[[]]]}}}, "t": True, "none": None},
]


@pytest.fixture
async def site(mongodb_uri: str, dynamodb_endpoint: str, unique_name: str) -> AsyncIterator[RealSite]:
    """A collection in MONGO_ONLY with documents from before there was any proxy."""
    async with open_site(mongodb_uri, dynamodb_endpoint, unique_name, Stage.MONGO_ONLY, seed=1) as site:
        await site.documents.insert_many(
            [{"a": "x", "b": f"old{n:04}", **ODD[n % 3], "number": n} for n in range(NUMBER)]
        )
        yield site


def folded(value: Any) -> Any:
    """With every number as DynamoDB gives it back."""
    if isinstance(value, list):
        return [folded(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: Decimal(each).normalize() if name == "N" and isinstance(each, str) else folded(each)
        for name, each in value.items()
    }


async def run_export(site: RealSite, folder: Path) -> Manifest:
    told: list[ExportFile] = []
    shelf = ExportFolder(folder, site.collection)
    return await export(site.site("exporter"), site.door, shelf, told.append)


def items_of(folder: Path) -> list[dict[str, Any]]:
    """As DynamoDB's import reads them: every file below the prefix, every line."""
    files = [gzip.decompress(path.read_bytes()) for path in sorted((folder / "data").iterdir())]
    return [json.loads(line)["Item"] for file in files for line in file.splitlines()]


async def import_items(site: RealSite, items: Iterable[dict[str, Any]]) -> None:
    """Unconditional puts, as the import does them."""
    table, transport = site.collection.table, site.dynamo.transport
    waiting = list(items)
    while waiting:
        some, waiting = waiting[:25], waiting[25:]
        request = {"RequestItems": {table: [{"PutRequest": {"Item": item}} for item in some]}}
        answer = await transport.call("BatchWriteItem", request)
        assert not answer.get("UnprocessedItems")


async def begin_mirroring(site: RealSite) -> None:
    flag = await site.control.flag("jobs")
    published = flag.publish(Stage.MONGO_PRIMARY, site.clock.now())
    assert await site.control.swap(flag, published)
    site.door.published = Published(published.epoch, published.stage)


async def write_a_little(site: RealSite) -> None:
    """What a service does meanwhile: new, changed and deleted documents."""
    documents = site.documents
    await documents.insert_one({"a": "x", "b": "while exporting", "n": 1})
    await documents.update_one({"a": "x", "b": "old0005"}, {"$set": {"n": "changed"}})
    await documents.delete_one({"a": "x", "b": "old0006"})
    await documents.replace_one({"a": "x", "b": "old0007"}, {"a": "x", "b": "old0007"})


async def test_an_import_is_caught_up_and_verify_finds_nothing(site: RealSite, tmp_path: Path) -> None:
    with armed("export.after_position", lambda: write_a_little(site)):
        manifest = await run_export(site, tmp_path)
    await site.documents.delete_one({"a": "x", "b": "old0100"})
    await site.documents.update_one({"a": "x", "b": "old0101"}, {"$set": {"n": "after the export"}})
    await import_items(site, items_of(tmp_path))
    await begin_mirroring(site)
    job = await adopt(site.site("adopter"), site.door, manifest)
    assert (job.state, job.kind, job.counts["imported"]) == ("finished", "backfill", manifest.items)
    assert await site.differences() == {}
    found = await verify(site.site("verifier"), site.door)
    assert found.state == "finished"
    assert found.counts["MATCH"] == NUMBER - 2 + 1
    assert await site.divergences.counts("jobs") == {}


async def test_the_files_are_what_the_manifest_says(site: RealSite, tmp_path: Path) -> None:
    manifest = await run_export(site, tmp_path)
    assert read_manifest((tmp_path / "manifest.json").read_text()) == manifest
    assert (manifest.items, manifest.refused, len(manifest.files)) == (NUMBER, 0, manifest.ranges)
    for file in manifest.files:
        data = (tmp_path / file.name).read_bytes()
        text = gzip.decompress(data)
        assert md5(data).hexdigest() == file.md5
        assert (len(text), text.count(b"\n")) == (file.bytes, file.items)
    names = {item["b"]["S"] for item in items_of(tmp_path)}
    assert names == {f"old{n:04}" for n in range(NUMBER)}


async def test_the_arguments_of_the_import_make_the_table(site: RealSite, tmp_path: Path) -> None:
    """Made by them, and then completed by `prepare`, it is the table that `prepare` alone would have made."""
    await run_export(site, tmp_path)
    arguments = json.loads((tmp_path / "import-table.json").read_text())
    assert arguments == import_arguments(site.collection)
    assert (arguments["InputFormat"], arguments["InputCompressionType"]) == ("DYNAMODB_JSON", "GZIP")
    transport, store = site.dynamo.transport, site.stores[StoreName.DYNAMODB]
    table = {"TableName": site.collection.table}
    before = (await transport.call("DescribeTable", table))["Table"]
    await transport.call("DeleteTable", table)
    await transport.call("CreateTable", arguments["TableCreationParameters"])
    await store.prepare()
    after = (await transport.call("DescribeTable", table))["Table"]
    for word in ("KeySchema", "AttributeDefinitions", "StreamSpecification"):
        assert after[word] == before[word]


async def test_what_does_not_fit_is_named_and_the_rest_goes_on(site: RealSite, tmp_path: Path) -> None:
    await site.documents.insert_one({"a": "x", "b": "large", "blob": b"x" * 420_000})
    await site.documents.insert_one({"a": "x", "b": 7})
    manifest = await run_export(site, tmp_path)
    assert (manifest.items, manifest.refused) == (NUMBER, 2)
    files = [path.read_text() for path in (tmp_path / "refused").iterdir()]
    told = [json.loads(line) for file in files for line in file.splitlines()]
    reasons = {line["key"][1]: line["reason"] for line in told}
    assert reasons.keys() == {"large", "7"}
    assert "409600 is the limit" in reasons["large"] and "must be a string" in reasons["7"]


async def test_after_a_crash_it_goes_on_from_its_place_in_the_feed(site: RealSite, tmp_path: Path) -> None:
    chunks = 0

    async def crash() -> None:
        nonlocal chunks
        chunks += 1
        if chunks == 3:
            raise Unavailable("a crash")

    with armed("export.after_chunk", crash), pytest.raises(Unavailable):
        await run_export(site, tmp_path)
    begun = read_manifest((tmp_path / "manifest.json").read_text())
    assert not begun.finished_at
    assert not list((tmp_path / "data").glob(".*"))
    await write_a_little(site)
    manifest = await run_export(site, tmp_path)
    assert (manifest.position, manifest.ranges) == (begun.position, begun.ranges)
    await import_items(site, items_of(tmp_path))
    await begin_mirroring(site)
    await adopt(site.site("adopter"), site.door, manifest)
    assert await site.differences() == {}
    again = await run_export(site, tmp_path)
    assert again == manifest


async def test_an_import_that_left_a_file_out_is_refused(site: RealSite, tmp_path: Path) -> None:
    manifest = await run_export(site, tmp_path)
    left_out = next(file for file in manifest.files if file.items)
    (tmp_path / left_out.name).unlink()
    await import_items(site, items_of(tmp_path))
    await begin_mirroring(site)
    with pytest.raises(Refused, match=left_out.name):
        await adopt(site.site("adopter"), site.door, manifest)
    assert await site.control.job("jobs", "backfill") is None


async def test_nothing_is_adopted_without_a_mirror_or_before_the_end(site: RealSite, tmp_path: Path) -> None:
    manifest = await run_export(site, tmp_path)
    with pytest.raises(Refused, match="no mirror"):
        await adopt(site.site("adopter"), site.door, manifest)
    await begin_mirroring(site)
    with pytest.raises(Refused, match="no whole export"):
        await adopt(site.site("adopter"), site.door, replace(manifest, finished_at=0))


async def test_a_directory_of_another_export_is_left_alone(site: RealSite, tmp_path: Path) -> None:
    manifest = await run_export(site, tmp_path)
    (tmp_path / "manifest.json").write_text(replace(manifest, collection="others").to_text())
    with pytest.raises(Refused, match="an export of others"):
        await run_export(site, tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(ValueError, match="no manifest"):
        await run_export(site, tmp_path)


async def test_what_is_exported_is_what_a_backfill_would_write(site: RealSite, tmp_path: Path) -> None:
    """Item for item; only numbers lose their trailing zeros in DynamoDB, which the hints beside them keep."""
    await run_export(site, tmp_path)
    exported = {item["b"]["S"]: item for item in items_of(tmp_path)}
    await begin_mirroring(site)
    async for record in site.primary.scan(Segment()):
        await site.mirror.apply(record)
    answer = await site.dynamo.transport.call("Scan", {"TableName": site.collection.table})
    for item in answer["Items"]:
        assert folded(item) == folded(exported[item["b"]["S"]])
    assert len(answer["Items"]) == len(exported)
