"""Every error has a status, a reason of the contract, an outcome and an advice; nothing leaks."""

from __future__ import annotations

import asyncio
import logging
import re
from pathlib import Path

import grpc
import pytest

from crossfade.v1 import error_pb2
from proxy.api.status import CODES, HINTS, MAX_TEXT, classify, code_of, detail_of, reason_number, status_of
from proxy.core import errors
from proxy.core.errors import BadRequest, Broken, CrossfadeError, DeadlineExceeded, Fenced, Outcome, Reason

CONTRACT = Path(__file__).parents[3] / "proto/crossfade/v1/error.proto"
PAGE = Path(__file__).parents[3] / "docs/errors.md"


def tree(cls: type[CrossfadeError] = CrossfadeError) -> list[type[CrossfadeError]]:
    return [cls, *(found for child in cls.__subclasses__() for found in tree(child))]


def test_every_class_has_its_code() -> None:
    ours = [cls for cls in tree() if cls.__module__ == errors.__name__]
    assert len(ours) > 10
    assert set(ours) == set(CODES)


def test_every_reason_is_in_the_contract_and_the_other_way_round() -> None:
    names = {f"ERROR_REASON_{reason.name}" for reason in Reason}
    assert names | {"ERROR_REASON_UNSPECIFIED"} == set(error_pb2.ErrorReason.keys())
    for reason in Reason:
        assert reason_number(reason) > 0


def test_every_reason_has_an_advice() -> None:
    assert set(HINTS) == set(Reason)


def test_every_outcome_is_in_the_contract() -> None:
    for outcome in Outcome:
        detail = detail_of(BadRequest("no", outcome=outcome))
        assert error_pb2.Outcome.Name(detail.outcome) == f"OUTCOME_{outcome.name}"


def test_the_page_of_errors_has_every_reason_with_its_code_and_advice() -> None:
    reasons = PAGE.read_text().partition("## Reasons")[2]
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (.+) \|$", reasons, re.MULTILINE))
    assert set(rows) == {reason.name for reason in Reason}
    for name, row in rows.items():
        assert row.startswith(f"{documented_code(name)} | "), name
        assert row.endswith(HINTS[Reason[name]]), name


def documented_code(reason: str) -> str:
    """The code in brackets that ends the contract's comment on a reason."""
    text = re.sub(r"\s*//\s*", " ", CONTRACT.read_text())
    before = text[: text.index(f" ERROR_REASON_{reason} =")]
    return str(re.findall(r"\[([A-Z_]+)\]", before)[-1])


def test_a_status_carries_all_that_is_known() -> None:
    error = DeadlineExceeded("too late", op=b"o" * 16, field="a.b", retry_after=0.25)
    status = error_pb2.Status.FromString(status_of(error, "jobs"))
    assert status.code == grpc.StatusCode.DEADLINE_EXCEEDED.value[0]
    assert status.message == "too late"
    detail = error_pb2.ErrorDetail()
    assert status.details[0].Unpack(detail)
    assert detail.reason == error_pb2.ERROR_REASON_DEADLINE
    assert detail.outcome == error_pb2.OUTCOME_UNKNOWN
    assert (detail.op, detail.collection, detail.field) == (b"o" * 16, "jobs", "a.b")
    assert detail.retry_after_ms == 250
    assert detail.hint == HINTS[Reason.DEADLINE]


def test_the_status_can_be_read_by_tools_that_know_googles() -> None:
    from google.rpc import status_pb2  # type: ignore[import-untyped]

    status = status_pb2.Status.FromString(status_of(BadRequest("no")))
    assert status.code == 3
    assert status.details[0].type_url == "type.googleapis.com/crossfade.v1.ErrorDetail"


def test_a_long_message_is_cut_to_what_metadata_can_hold() -> None:
    data = status_of(BadRequest("x" * 100_000, field="y" * 100_000), "z" * 100_000)
    assert len(data) < 5 * MAX_TEXT


def test_a_missing_index_hints_at_what_to_declare() -> None:
    error = errors.Refused("no index of jobs serves this; declare a local index", Reason.NO_INDEX)
    assert detail_of(error).hint == "declare a local index"


def test_an_unexpected_failure_tells_an_id_and_logs_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError("the password is hunter2")
    except ValueError as failure:
        error = classify(failure, writes=True)
    assert isinstance(error, Broken)
    assert error.outcome is Outcome.UNKNOWN
    assert "hunter2" not in error.message
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert getattr(record, "incident") in error.message  # noqa: B009 - an extra, unknown to the type


def test_an_unexpected_failure_of_a_read_changed_nothing() -> None:
    assert classify(KeyError("x"), writes=False).outcome is Outcome.NOT_APPLIED


def test_cancellation_is_not_a_fault_of_the_proxy() -> None:
    assert code_of(classify(asyncio.CancelledError(), writes=True)) is grpc.StatusCode.UNAVAILABLE


def test_a_subclass_has_the_code_of_its_nearest_parent() -> None:
    class Odd(Fenced):
        pass

    assert code_of(Odd("x")) is grpc.StatusCode.UNAVAILABLE
