"""What a divergence shows of two documents, and what it hides."""

from __future__ import annotations

import pytest

from proxy.core.divergence import REDACTED, diff
from proxy.core.document import Document, Fields

CARD: Fields = {"number": "4111", "holder": "Ada"}


@pytest.mark.parametrize(
    ("primary", "mirror", "path"),
    [
        ({"card": CARD}, {"card": {**CARD, "number": "4222"}}, "card.number"),
        ({"card": CARD}, {}, "card"),
        ({}, {"card": CARD}, "card"),
        ({"card": CARD}, {"card": "4222"}, "card"),
        ({"card": [CARD]}, {"card": [{**CARD, "number": "4222"}]}, "card"),
        ({"card": {"number": {"last": "4111"}}}, {"card": {"number": {"last": "4222"}}}, "card.number.last"),
    ],
    ids=["itself", "only here", "only there", "another type", "in a list", "below it"],
)
def test_a_redacted_path_shows_its_value_nowhere(primary: Fields, mirror: Fields, path: str) -> None:
    [found] = diff(Document(primary), Document(mirror), ["card.number"])
    assert found.path == path
    assert {found.primary, found.mirror} <= {REDACTED, None}


def test_what_is_beside_a_redacted_path_is_shown() -> None:
    primary, mirror = (
        Document({"card": CARD, "cards": 1}),
        Document({"card": {**CARD, "holder": "Bob"}, "cards": 2}),
    )
    found = diff(primary, mirror, ["card.number"])
    assert [(one.path, one.primary, one.mirror) for one in found] == [
        ("card.holder", '"Ada"', '"Bob"'),
        ("cards", '{"$numberInt": "1"}', '{"$numberInt": "2"}'),
    ]


def test_everything_is_hidden_by_a_star() -> None:
    [found] = diff(Document({"a": 1}), None, ["*"])
    assert (found.primary, found.mirror) == (REDACTED, None)
