"""The files of an export (`reconcile.exporting.Shelf`), as DynamoDB's import from S3 reads them.

    manifest.json          what the export is; the position in the feed
    import-table.json      the arguments of `aws dynamodb import-table`, but for the bucket
    data/00017.json.gz     DynamoDB JSON: {"Item": {...}} a line
    refused/00017.jsonl    documents that DynamoDB cannot hold: key and reason
    done/00017.json        what data/00017.json.gz is

Invariant: whatever stands under its own name is whole and on the disk; files in the making have another.
"""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import md5
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from proxy.core.collection import Collection, IndexKind
from proxy.core.errors import BadRequest
from proxy.core.keys import key_of
from proxy.core.manifest import ExportFile, Manifest, read_manifest
from proxy.core.version import Record
from proxy.stores.dynamo.codec import Codec
from proxy.stores.dynamo.layout import Layout
from proxy.stores.dynamo.limits import DynamoLimits
from proxy.stores.dynamo.tables import definition_of

COMPRESSION = 4
_FOLDERS = ("data", "refused", "done")
_IMPORTED = ("TableName", "BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")


class ExportFolder:
    """The files of one export, in one directory."""

    def __init__(self, root: Path, collection: Collection) -> None:
        self._root = root
        self._collection = collection
        for name in _FOLDERS:
            (root / name).mkdir(parents=True, exist_ok=True)

    def begun(self) -> Manifest | None:
        """Raises ValueError where something else stands there."""
        path = self._root / "manifest.json"
        return read_manifest(path.read_text()) if path.exists() else None

    def keep(self, manifest: Manifest) -> None:
        arguments = json.dumps(import_arguments(self._collection), indent=2) + "\n"
        _place(self._root / "import-table.json", arguments.encode())
        _place(self._root / "manifest.json", manifest.to_text().encode())

    def finished(self, number: int) -> ExportFile | None:
        path = self._root / "done" / f"{number:05}.json"
        return ExportFile(**json.loads(path.read_text())) if path.exists() else None

    def sheet(self, number: int) -> ItemSheet:
        return ItemSheet(self._root, number, self._collection)


class ItemSheet:
    """One file of items in the making (`reconcile.exporting.Sheet`)."""

    def __init__(self, root: Path, number: int, collection: Collection) -> None:
        self._root, self._number = root, number
        self._codec, self._limits = Codec(collection), DynamoLimits(collection)
        self._making = root / "data" / f".{number:05}.making"
        self._file: BinaryIO = self._making.open("wb")
        self._packed = gzip.GzipFile("", "wb", COMPRESSION, self._file, mtime=0)
        self._refused: list[bytes] = []
        self._items = self._bytes = 0

    def add(self, records: Sequence[Record]) -> Record | None:
        written = {line: record for record in records if (line := self._line(record)) is not None}
        lines = list(written)
        random.Random(self._number).shuffle(lines)  # sorted items would all go to one partition at a time
        text = b"".join(lines)
        self._packed.write(text)
        self._items += len(lines)
        self._bytes += len(text)
        return written[lines[0]] if lines else None

    def finish(self, example: str) -> ExportFile:
        self._packed.close()
        _to_disk(self._file)
        data = self._root / "data" / f"{self._number:05}.json.gz"
        os.replace(self._making, data)
        _place(self._root / "refused" / f"{self._number:05}.jsonl", b"".join(self._refused))
        counts = self._items, len(self._refused), self._bytes
        file = ExportFile(self._number, f"data/{data.name}", *counts, _md5(data), example)
        _place(self._root / "done" / f"{self._number:05}.json", json.dumps(asdict(file)).encode())
        return file

    def discard(self) -> None:
        self._packed.close()
        self._file.close()
        self._making.unlink(missing_ok=True)

    def _line(self, record: Record) -> bytes | None:
        assert record.document is not None
        try:
            self._limits.check(key_of(self._codec.collection, record.document.fields), record.document)
            return orjson.dumps({"Item": self._codec.encode(record)}) + b"\n"
        except BadRequest as refused:
            told = {"key": [str(value) for value in record.key.values], "reason": refused.message}
            self._refused.append(orjson.dumps(told) + b"\n")
            return None


def import_arguments(collection: Collection) -> dict[str, Any]:
    """What `aws dynamodb import-table --cli-input-json` takes. Local indexes are none of its arguments."""
    definition = definition_of(Layout(collection))
    return {
        "S3BucketSource": {"S3Bucket": "BUCKET", "S3KeyPrefix": "PREFIX/data/"},
        "InputFormat": "DYNAMODB_JSON",
        "InputCompressionType": "GZIP",
        "TableCreationParameters": {name: definition[name] for name in _IMPORTED if name in definition},
    }


def has_local_indexes(collection: Collection) -> bool:
    """Whether DynamoDB's import cannot make the table of a collection, as it makes no local indexes."""
    return any(index.kind is IndexKind.LOCAL for index in collection.indexes)


def _place(path: Path, content: bytes) -> None:
    """Write a whole file, or nothing."""
    making = path.with_name(f".{path.name}.making")
    with making.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(making, path)


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        digest = md5(usedforsecurity=False)
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
