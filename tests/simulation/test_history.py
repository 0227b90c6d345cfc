"""The checker itself: it accepts what a register can do and refuses what it cannot."""

from __future__ import annotations

from tests.simulation.history import Call, Fate, Verb
from tests.simulation.registers import is_linearizable


def call(verb: Verb, called: float, returned: float, fate: Fate = Fate.OK, **rest: int | bool | None) -> Call:
    return Call("c", verb, "k", called, returned=returned, fate=fate, **rest)  # type: ignore[arg-type]


def test_a_read_sees_the_write_before_it() -> None:
    write = call(Verb.PUT, 0, 1, value=5)
    assert is_linearizable([write, call(Verb.READ, 2, 3, value=5)], None, 5)
    assert not is_linearizable([write, call(Verb.READ, 2, 3, value=None)], None, 5)


def test_an_acknowledged_write_must_be_in_the_final_state() -> None:
    assert not is_linearizable([call(Verb.PUT, 0, 1, value=5)], None, None)


def test_overlapping_calls_may_take_either_order() -> None:
    calls = [call(Verb.PUT, 0, 5, value=1), call(Verb.PUT, 0, 5, value=2)]
    assert is_linearizable(calls, None, 1)
    assert is_linearizable(calls, None, 2)
    assert not is_linearizable(calls, None, None)


def test_an_unknown_write_may_surface_late_or_never_but_not_twice() -> None:
    lost = call(Verb.PUT, 0, float("inf"), Fate.UNKNOWN, value=7)
    assert is_linearizable([lost], None, None)
    assert is_linearizable([lost], None, 7)
    over = [lost, call(Verb.PUT, 1, 2, value=8), call(Verb.READ, 3, 4, value=7)]
    assert is_linearizable(over, None, 7)
    twice = [
        lost,
        call(Verb.READ, 1, 2, value=7),
        call(Verb.PUT, 3, 4, value=8),
        call(Verb.READ, 5, 6, value=7),
    ]
    assert not is_linearizable(twice, None, 7)


def test_a_value_once_read_does_not_disappear() -> None:
    lost = call(Verb.PUT, 0, float("inf"), Fate.UNKNOWN, value=7)
    reads = [call(Verb.READ, 1, 2, value=7), call(Verb.READ, 3, 4, value=None)]
    assert not is_linearizable([lost, *reads], None, None)


def test_a_condition_holds_for_one_of_two() -> None:
    both = [
        call(Verb.CHANGE, 0, 5, value=1, expected=0, matched=True),
        call(Verb.CHANGE, 0, 5, value=2, expected=0, matched=True),
    ]
    assert not is_linearizable(both, 0, 1)
    both[1].matched = False
    assert is_linearizable(both, 0, 1)


def test_a_delete_reports_whether_there_was_something() -> None:
    assert is_linearizable([call(Verb.DELETE, 0, 1, matched=True)], 3, None)
    assert not is_linearizable([call(Verb.DELETE, 0, 1, matched=False)], 3, None)
