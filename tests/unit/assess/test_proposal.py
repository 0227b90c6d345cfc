"""What is proposed for a collection: its key, how it is split, and what becomes of every index."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from bson import Int64, ObjectId
from bson.datetime_ms import DatetimeMS

from proxy.assess.filing import collections_file
from proxy.assess.proposal import Becomes, Proposal, propose
from proxy.config import load_collections
from proxy.core.collection import Collection, IndexKind
from proxy.core.survey import Calls, CollectionFacts, IndexFacts, Shape
from tests.unit.assess.samples import facts, index, sample

NAMES = ("deployment_key", "webtask_container", "webtask_name")
UNIQUE = index(*NAMES, is_unique=True)
QUEUE = index("deployment_key", "next_available_at")
JOBS = sample(
    *(
        {
            "_id": ObjectId(),
            "deployment_key": f"d{number % 3}",
            "webtask_container": f"c{number % 7}",
            "webtask_name": f"n{number}",
            "next_available_at": Int64(number),
        }
        for number in range(50)
    )
)


def proposed(found: CollectionFacts, documents: Any = JOBS, shapes: Any = None) -> Proposal:
    return propose(found, documents, shapes or {}, frozenset())


def parts(collection: Collection | None) -> tuple[list[str], list[str]]:
    assert collection is not None
    return [field.name for field in collection.key.partition], [field.name for field in collection.key.sort]


def fate(proposal: Proposal, wanted: IndexFacts) -> tuple[Becomes, str]:
    [found] = [each for each in proposal.fates if each.index is wanted]
    return found.becomes, found.reason


def test_a_key_alone_is_split_before_its_last_field_and_named_as_the_article_names_it() -> None:
    found = proposed(facts(UNIQUE)).collection
    assert parts(found) == (["deployment_key", "webtask_container"], ["webtask_name"])
    assert found is not None
    assert (found.key.partition_attribute, found.key.sort_attribute) == (
        "deployment_container",
        "webtask_name",
    )


def test_an_order_within_the_first_field_moves_the_split_there_and_becomes_a_local_index() -> None:
    proposal = proposed(facts(UNIQUE, QUEUE))
    assert parts(proposal.collection) == (["deployment_key"], ["webtask_container", "webtask_name"])
    assert proposal.collection is not None
    assert proposal.collection.key.sort_attribute == "container_name"
    [made] = proposal.collection.indexes
    assert (made.kind, made.sort_attribute) == (IndexKind.LOCAL, "next_available_at")
    assert made.sort[0].type.value == "number"
    assert fate(proposal, UNIQUE)[0] is Becomes.KEY
    assert fate(proposal, QUEUE)[0] is Becomes.LOCAL


def test_key_fields_at_the_end_of_an_index_only_break_ties() -> None:
    longer = index("deployment_key", "next_available_at", "webtask_container", "webtask_name")
    by_longer, by_shorter = (proposed(facts(UNIQUE, each)).collection for each in (longer, QUEUE))
    assert by_longer is not None and by_shorter is not None
    assert (by_longer.key, by_longer.indexes) == (by_shorter.key, by_shorter.indexes)
    other = index("deployment_key", "next_available_at", "webtask_name")
    found = proposed(facts(UNIQUE, other)).collection
    assert found is not None and len(found.indexes[0].fields) == 3


def test_recorded_calls_ask_for_the_same_as_an_index() -> None:
    shape = Shape(
        "findAndModify", ("deployment_key",), ("next_available_at",), (), (("next_available_at", 1),)
    )
    by_calls = proposed(facts(UNIQUE), shapes={shape: Calls(40)}).collection
    by_index = proposed(facts(UNIQUE, QUEUE)).collection
    assert by_calls is not None and by_index is not None
    assert (by_calls.key, by_calls.indexes) == (by_index.key, by_index.indexes)


def test_rare_calls_ask_for_nothing() -> None:
    often = Shape("find", NAMES)
    rare = Shape("find", ("deployment_key",), (), (), (("next_available_at", 1),))
    found = proposed(facts(UNIQUE), shapes={often: Calls(10_000), rare: Calls(3)}).collection
    assert found is not None and found.indexes == ()


def test_a_partition_that_would_outgrow_its_limit_gets_a_global_index() -> None:
    found = proposed(facts(UNIQUE, QUEUE, data_bytes=60 * 10**9)).collection
    assert found is not None
    assert [made.kind for made in found.indexes] == [IndexKind.GLOBAL]
    assert parts(found) == (["deployment_key", "webtask_container"], ["webtask_name"])


def test_a_name_that_people_gave_is_kept() -> None:
    named = index("deployment_key", "next_available_at", name="work_queue")
    found = proposed(facts(UNIQUE, named)).collection
    assert found is not None and [made.name for made in found.indexes] == ["work_queue"]


def test_an_attribute_is_never_that_of_a_field() -> None:
    documents = sample(dict.fromkeys((*NAMES, "deployment_container"), "x"))
    found = proposed(facts(UNIQUE), documents).collection
    assert found is not None and found.key.partition_attribute == "deployment_key_webtask_container"


@pytest.mark.parametrize(
    ("made", "field", "values", "reason"),
    [
        (index("tags"), "tags", [["a"], ["b"]], "holds arrays"),
        (index("place.city"), "place", [{"city": "x"}], "inside a document"),
        (index("state", "-at"), "state", ["x"], None),
        (index("state", "at", "-size"), "state", ["x"], "one direction"),
        (index("at"), "at", [DatetimeMS(5)], "orders the whole collection by a date"),
        (index("mixed"), "mixed", ["a", 5], "several types"),
        (index("mixed"), "mixed", ["a", None], "null 50%"),
        (index("absent"), "other", ["a"], "no document"),
        (index("text", collation="de"), "text", ["a"], "collation de"),
        (IndexFacts("words", (("state", "text"),)), "state", ["a"], "no text index"),
        (IndexFacts("all", (("$**", 1),)), "state", ["a"], "no wildcard index"),
        (IndexFacts("place", (("place", "2dsphere"),)), "place", [{"x": 1}], "no 2dsphere index"),
    ],
)
def test_what_an_index_becomes_or_why_it_becomes_nothing(
    made: IndexFacts, field: str, values: list[Any], reason: str | None
) -> None:
    documents = sample(*({"_id": ObjectId(), "at": 1, "size": 1, field: value} for value in values * 10))
    proposal = proposed(facts(made), documents)
    becomes, why = fate(proposal, made)
    if reason is None:
        assert becomes is Becomes.GLOBAL
    else:
        assert becomes is Becomes.NOTHING
        assert reason in why


def test_the_first_fields_of_the_key_need_no_index() -> None:
    beginning = index("deployment_key", "webtask_container")
    proposal = proposed(facts(UNIQUE, beginning))
    assert fate(proposal, beginning)[0] is Becomes.SERVED
    assert proposal.collection is not None and proposal.collection.indexes == ()


@pytest.mark.parametrize("option", [{"is_sparse": True}, {"only": "{}"}, {"collation": "de"}])
def test_an_index_that_leaves_documents_out_is_no_key(option: dict[str, Any]) -> None:
    proposal = proposed(facts(index(*NAMES, is_unique=True, **option)))
    assert parts(proposal.collection) == (["_id"], [])
    assert len(proposal.refused_keys) == 1


def test_a_key_that_documents_lack_is_no_key() -> None:
    documents = sample(
        *({"_id": ObjectId(), "email": "x"} if n % 2 else {"_id": ObjectId()} for n in range(20))
    )
    proposal = proposed(facts(index("email", is_unique=True)), documents)
    assert parts(proposal.collection) == (["_id"], [])
    assert "lack email" in proposal.refused_keys[0]


def test_calls_decide_between_two_keys() -> None:
    email = index("email", is_unique=True)
    documents = sample(*({"_id": ObjectId(), "email": f"{n}"} for n in range(20)))
    assert parts(proposed(facts(email), documents).collection) == (["_id"], [])
    shapes = {Shape("find", ("email",)): Calls(9), Shape("find", ("_id",)): Calls(2)}
    assert parts(proposed(facts(email), documents, shapes).collection) == (["email"], [])


def test_no_more_indexes_than_a_table_may_have_the_called_ones_first() -> None:
    fields = [f"f{number}" for number in range(8)]
    documents = sample(*({**dict.fromkeys(NAMES, f"{n}"), **dict.fromkeys(fields, n)} for n in range(20)))
    made = [index("deployment_key", field) for field in fields]
    found = proposed(facts(UNIQUE, *made), documents)
    assert found.collection is not None
    assert [each.kind for each in found.collection.indexes] == [IndexKind.LOCAL] * 5
    assert [each.becomes for each in found.fates].count(Becomes.NOTHING) == 4  # three, and _id


def test_without_a_key_nothing_is_proposed_but_the_reason() -> None:
    documents = sample(*({"_id": number if number % 2 else str(number)} for number in range(40)))
    proposal = proposed(facts(), documents)
    assert proposal.collection is None
    assert "several types" in proposal.refused_keys[0]


@pytest.mark.parametrize("name", ["a", "things", "Dinge & mehr", "yes", "x.y", "123", "ü" * 300])
def test_the_file_reads_back_as_what_was_proposed(name: str, tmp_path: Any) -> None:
    odd = index("deployment_key", "on", name="null")
    documents = sample(*({**dict.fromkeys(NAMES, f"{n}"), "on": n} for n in range(9)))
    first = propose(facts(UNIQUE, odd, name=name), documents, {}, frozenset())
    second = propose(facts(name=name), JOBS, {}, {first.name})
    file = tmp_path / "collections.yaml"
    file.write_text(collections_file([first, second], ["a heading: with # and 'quotes'"]))
    loaded = yaml.safe_load(file.read_text())
    assert list(loaded["collections"]) == [first.name, second.name]
    assert loaded["collections"][first.name] == first.declaration


def test_the_file_loads_as_the_proxy_loads_it(tmp_path: Any) -> None:
    proposal = proposed(facts(UNIQUE, QUEUE))
    file = tmp_path / "collections.yaml"
    file.write_text(collections_file([proposal], ["heading"]))
    assert load_collections(file) == (proposal.collection,)
