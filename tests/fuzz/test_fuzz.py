"""A short slice of `make fuzz` with every run, and proof that it can find something."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from crossfade.v1 import storage_pb2 as pb
from proxy.core import keytext
from tests.fuzz import grammar
from tests.fuzz.calls import Calls, Found
from tests.fuzz.rounds import GUIDED, WIRE, guide, play
from tests.fuzz.twins import Twins, twins_in_a_thread


@pytest.fixture(scope="module")
def twins(mongodb_uri: str, dynamodb_endpoint: str) -> Iterator[Twins]:
    with twins_in_a_thread(mongodb_uri, dynamodb_endpoint) as opened:
        yield opened


@pytest.mark.parametrize("name", WIRE)
def test_nothing_that_a_client_sends_breaks_the_proxy_or_divides_the_stores(twins: Twins, name: str) -> None:
    tally = play(
        name, twins, seconds=8 if name == "calls" else 3, seed=os.getpid(), examples=15, shrinks=False
    )
    assert not tally.finding, tally.finding
    assert tally.cases >= 15 and sum(tally.answers.values()) >= 15


@pytest.mark.parametrize("name", GUIDED)
async def test_coverage_leads_to_nothing_that_breaks_a_reader(name: str) -> None:
    tally = await guide(name, 2)
    assert not tally.finding, tally.finding
    assert tally.cases > 100


def insertion(**key: object) -> tuple[str, grammar.Make]:
    document = grammar.document_of({"_id": 1, "name": "n", "part": 1, **key})
    return "Insert", lambda name: pb.InsertRequest(collection=name, document=document)


def test_it_finds_keys_that_collide(twins: Twins, monkeypatch: pytest.MonkeyPatch) -> None:
    two = (insertion(tenant="a/b", area="c", _id=1), insertion(tenant="a", area="b/c", _id=2))
    Calls(twins).check(*two)
    monkeypatch.setattr(keytext, "_escape", lambda text: text)
    with pytest.raises(Found, match="the stores differ"):
        Calls(twins).check(*two)
