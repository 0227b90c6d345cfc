"""The rule, case by case; its table is the specification."""

import pytest

from proxy.core.version import Record
from proxy.reconcile.rule import Action, Cause, decide, explain
from tests.fixtures.yard import GONE, record, tombstone

CASES = [
    # what it is, primary, mirror, action at rest, action just after a write, cause at rest
    ("nothing anywhere", None, None, Action.NOTHING, Action.BURY, Cause.NONE),
    ("primary newer", record((5, 3), 2), record((5, 2), 1), Action.APPLY, Action.APPLY, Cause.BEHIND),
    ("mirror lacks it", record((5, 3)), None, Action.APPLY, Action.APPLY, Cause.BEHIND),
    ("newer epoch", record((6, 1), 2), record((5, 9), 1), Action.APPLY, Action.APPLY, Cause.BEHIND),
    ("equal", record((5, 3)), record((5, 3)), Action.NOTHING, Action.NOTHING, Cause.NONE),
    (
        "changed by a bypassing writer",
        record((5, 3), 2),
        record((5, 3), 1),
        Action.RESTAMP,
        Action.RESTAMP,
        Cause.BYPASS,
    ),
    (
        "only a type changed",
        record((5, 3), 1.0),
        record((5, 3), 1),
        Action.RESTAMP,
        Action.RESTAMP,
        Cause.BYPASS,
    ),
    (
        "same version of two writes",
        record((5, 3), made_by=1),
        record((5, 3), made_by=2),
        Action.RESTAMP,
        Action.RESTAMP,
        Cause.CONFLICT,
    ),
    ("mirror ahead", record((5, 2)), record((5, 3)), Action.RESTAMP, Action.RESTAMP, Cause.AHEAD),
    (
        "mirror of an older epoch",
        record((5, 2)),
        record((4, 9)),
        Action.APPLY,
        Action.APPLY,
        Cause.BEHIND,
    ),
    ("hard delete", None, record((5, 3)), Action.BURY, Action.BURY, Cause.BYPASS),
    ("hard delete of a legacy document", None, record(), Action.BURY, Action.BURY, Cause.BYPASS),
    ("gone, tombstone mirrored", None, tombstone((5, 3)), Action.NOTHING, Action.BURY, Cause.NONE),
    ("legacy, not copied yet", record(), None, Action.APPLY, Action.RESTAMP, Cause.BEHIND),
    ("legacy, copied", record(), record(), Action.NOTHING, Action.RESTAMP, Cause.NONE),
    ("legacy, changed since", record(content=2), record(), Action.RESTAMP, Action.RESTAMP, Cause.BYPASS),
    (
        "inserted anew by a bypassing writer",
        record(),
        tombstone((5, 3)),
        Action.RESTAMP,
        Action.RESTAMP,
        Cause.BYPASS,
    ),
    (
        "replaced by a bypassing writer",
        record(),
        record((5, 3)),
        Action.RESTAMP,
        Action.RESTAMP,
        Cause.BYPASS,
    ),
    ("deleted, mirror live", tombstone((5, 4)), record((5, 3)), Action.APPLY, Action.APPLY, Cause.BEHIND),
    ("deleted, mirror lacks it", tombstone((5, 4)), None, Action.APPLY, Action.APPLY, Cause.BEHIND),
    (
        "deleted, older tombstone",
        tombstone((5, 4)),
        tombstone((5, 3)),
        Action.APPLY,
        Action.APPLY,
        Cause.BEHIND,
    ),
    ("deleted in both", tombstone((5, 4)), tombstone((5, 4)), Action.PURGE, Action.PURGE, Cause.NONE),
    ("deleted, mirror later", tombstone((5, 4)), tombstone((5, 5)), Action.PURGE, Action.PURGE, Cause.NONE),
    ("deleted, mirror ahead", tombstone((5, 2)), record((5, 3)), Action.RESTAMP, Action.RESTAMP, Cause.AHEAD),
    (
        "deleted and live at one version",
        tombstone((5, 3), made_by=1),
        record((5, 3), made_by=2),
        Action.RESTAMP,
        Action.RESTAMP,
        Cause.CONFLICT,
    ),
]


@pytest.mark.parametrize(
    ("primary", "mirror", "at_rest", "fresh", "cause"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_rule(
    primary: Record | None, mirror: Record | None, at_rest: Action, fresh: Action, cause: Cause
) -> None:
    assert decide(primary, mirror) is at_rest
    assert decide(primary, mirror, is_fresh=True) is fresh
    assert explain(primary, mirror) is cause


def test_every_action_and_cause_has_a_case() -> None:
    assert {case[3] for case in CASES} | {case[4] for case in CASES} == set(Action)
    assert {case[5] for case in CASES} == set(Cause)
    assert GONE is not None
