"""What an export says of itself: a run that can be gone on with, its files, and where the feed was before it.

Invariant: the position was taken before the first document was read, so whatever changed since is in the
feed behind it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

FORMAT = 1


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One finished file: the items of range `number`. `example` is the key of one of them as text (empty
    where there is none), `refused` counts documents that DynamoDB cannot hold, `bytes` are before gzip."""

    number: int
    name: str
    items: int
    refused: int
    bytes: int
    md5: str
    example: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """An export of `namespace` for `table`, in `ranges` parts; times in milliseconds since 1970.

    `finished_at` is 0 until every part has its file.
    """

    collection: str
    namespace: str
    table: str
    position: str
    begun_at: int
    ranges: int
    finished_at: int = 0
    files: tuple[ExportFile, ...] = field(default=())

    @property
    def items(self) -> int:
        return sum(file.items for file in self.files)

    @property
    def refused(self) -> int:
        return sum(file.refused for file in self.files)

    def finish(self, files: Sequence[ExportFile], now: int) -> Manifest:
        """The manifest of the whole export."""
        assert len(files) == self.ranges
        return replace(self, files=tuple(sorted(files, key=lambda file: file.number)), finished_at=now)

    def to_text(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2) + "\n"


def read_manifest(text: str) -> Manifest:
    """The manifest of a text. Raises ValueError where it is none of ours."""
    try:
        data: dict[str, Any] = json.loads(text)
        if data.pop("format") != FORMAT:
            raise ValueError("it is of another format")
        files = tuple(ExportFile(**file) for file in data.pop("files"))
        return Manifest(**data, files=files)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"it is no manifest of an export: {error}") from error
