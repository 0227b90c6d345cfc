"""A page token leads back to its position for its own query, and to nothing else for anyone else."""

from __future__ import annotations

import base64

import pytest
from bson.datetime_ms import DatetimeMS
from bson.objectid import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.collection import Index
from proxy.core.document import Value
from proxy.core.errors import BadRequest, Reason
from proxy.core.filter import (
    EVERYTHING,
    And,
    Comparator,
    Compare,
    Contains,
    Exists,
    Filter,
    In,
    Not,
    Or,
    Prefix,
)
from proxy.core.keys import Key
from proxy.core.page_token import decode_token, encode_token
from proxy.core.query import Plan, Position
from tests.unit.core.planning import KEY, WORK_QUEUE

SECRET = b"0123456789abcdef"
DUE = Compare("next_available_at", Comparator.LTE, 5)
POSITION = Position((5,), Key(("auth0", "mycontainer", "job")))
VALUES: st.SearchStrategy[Value] = (
    st.text()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.booleans()
    | st.integers(-(2**50), 2**50).map(DatetimeMS)
    | st.binary(min_size=12, max_size=12).map(ObjectId)
)


def plan_of(filter: Filter = DUE, index: Index | None = WORK_QUEUE, ascending: bool = True) -> Plan:
    return Plan(index, ("auth0",), (), None, None, None, filter, ascending)


PLAN = plan_of()


def token_for(plan: Plan = PLAN) -> str:
    return encode_token(SECRET, "cron_jobs", plan, POSITION)


def assert_invalid(
    token: str, secret: bytes = SECRET, collection: str = "cron_jobs", plan: Plan = PLAN
) -> None:
    with pytest.raises(BadRequest) as caught:
        decode_token(secret, collection, plan, token)
    assert (caught.value.reason, caught.value.field) == (Reason.INVALID_PAGE_TOKEN, "page_token")


@given(st.lists(VALUES, max_size=2), st.lists(VALUES, min_size=1, max_size=3))
def test_a_token_leads_back_to_its_position(sort: list[Value], key: list[Value]) -> None:
    position = Position(tuple(sort), Key(tuple(key)))
    token = encode_token(SECRET, "c", PLAN, position)
    assert decode_token(SECRET, "c", PLAN, token) == position
    assert token.isascii()
    assert "=" not in token


def test_a_token_is_of_one_query_and_one_key() -> None:
    token = token_for()
    assert_invalid(token, secret=b"another secret!!")
    assert_invalid(token, collection="webtasks")
    assert_invalid(token, plan=plan_of(Compare("next_available_at", Comparator.LTE, 6)))
    assert_invalid(token, plan=plan_of(Compare("next_available_at", Comparator.LTE, 5.0)))
    assert_invalid(token, plan=plan_of(Compare("next_available_at", Comparator.LT, 5)))
    assert_invalid(token, plan=plan_of(ascending=False))
    assert_invalid(token, plan=plan_of(index=KEY))
    assert_invalid(token, plan=plan_of(index=None))


def test_every_changed_bit_is_found() -> None:
    data = base64.urlsafe_b64decode(token_for() + "==")
    for place in range(len(data)):
        for bit in (1, 128):
            forged = data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :]
            assert_invalid(base64.urlsafe_b64encode(forged).decode().rstrip("="))


@pytest.mark.parametrize("token", ["", "x", "not a token", "é", "AAAA", "A" * 400, "====", token_for()[:-4]])
def test_what_is_no_token_is_refused(token: str) -> None:
    assert_invalid(token)


def test_a_token_of_a_future_version_is_refused_though_its_tag_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.core.page_token._VERSION", b"\x02")
    token = token_for()
    monkeypatch.undo()
    assert_invalid(token)


def test_no_two_filters_share_their_tokens() -> None:
    one, other = Exists("a", True), Exists("b", True)
    filters: list[Filter] = [
        EVERYTHING,
        one,
        other,
        Exists("a", False),
        And((one,)),
        And((one, other)),
        And((other, one)),
        And((And((one,)), other)),
        Or((one, other)),
        Not(one),
        Not(And((one,))),
        Contains("a", True),
        Prefix("a", "x"),
        Compare("a", Comparator.EQ, "x"),
        Compare("a", Comparator.EQ, ["x"]),
        In("a", ("x",)),
        In("a", (["x"],)),
        In("a", ("x", "y")),
        In("a", ()),
    ]
    assert len({token_for(plan_of(filter)) for filter in filters}) == len(filters)
