"""What the client's README shows works as it is written there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from crossfade import filters, updates
from crossfade.cli.arguments import parse
from crossfade.codec import write_document
from crossfade.v1 import storage_pb2 as pb
from tests.unit.client.fake import FakeProxy

README = (Path(__file__).parents[3] / "clients/python/README.md").read_text()


def blocks(language: str) -> list[str]:
    found = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found
    return found


def defined_by(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(code, names)
    return names


async def test_the_usual(proxy: FakeProxy, capsys: pytest.CaptureFixture[str]) -> None:
    row = pb.GetResponse(etag="e1")
    write_document(row.document, {"webtask_name": "mywebtask", "data": "b"})
    proxy.answer("Insert", pb.WriteResponse(inserted=True))
    proxy.answer("Update", pb.WriteResponse(matched=True, mirror=pb.MIRROR_APPLIED))
    proxy.answer("Get", row)
    proxy.answer("Replace", pb.WriteResponse(matched=True))
    stored = pb.StoredDocument(document=row.document)
    proxy.answer("Query", pb.QueryResponse(documents=[stored]))
    proxy.answer("FindOneAndUpdate", pb.WriteResponse())
    await defined_by(blocks("python")[0])["show_the_usual"](proxy.address)
    assert capsys.readouterr().out == "1 Mirror.APPLIED\nmywebtask\nNone\n"
    assert [type(request).__name__ for request in proxy.requests] == [
        *("InsertRequest", "UpdateRequest", "GetRequest", "ReplaceRequest", "QueryRequest"),
        "FindOneAndUpdateRequest",
    ]
    assert proxy.requests[3].etag == "e1"


def test_without_asyncio(remote_proxy: FakeProxy) -> None:
    remote_proxy.answer("Count", pb.CountResponse(count=4))
    assert defined_by(blocks("python")[1])["count_tasks"](remote_proxy.address) == 4


@pytest.mark.parametrize("line", blocks("sh")[0].splitlines())
def test_a_command(line: str) -> None:
    name, *words = shlex.split(line, comments=True)
    assert name == "crossfade"
    assert parse(words).command == words[0]


@pytest.mark.parametrize("supported", [filters.SUPPORTED, updates.SUPPORTED])
def test_every_supported_operator_is_named(supported: str) -> None:
    operators = re.findall(r"\$\w+", supported)
    assert len(operators) > 10
    assert [operator for operator in operators if operator not in README] == []


def test_the_operators_said_to_be_supported_are_those_that_are() -> None:
    def named(text: str) -> set[str]:
        return set(re.findall(r"\$\w+", text))

    known = {*filters._COMPARISONS, *filters._OPERATORS, *filters._LOGICAL}
    assert named(filters.SUPPORTED) == known
    assert named(updates.SUPPORTED) == {*updates._OPERATORS, "$each", "$position", "$slice"}
