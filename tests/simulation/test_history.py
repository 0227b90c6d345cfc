"""The checker itself: it accepts what a register can do and refuses what it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, permutations
from random import Random

from tests.simulation.history import NEVER, Call, Fate, Verb
from tests.simulation.registers import is_linearizable, step


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


def test_the_search_agrees_with_trying_every_order() -> None:
    dice = Random("histories")
    answers = [_agrees(list(_some_calls(dice)), dice) for _ in range(1500)]
    assert 300 < sum(answers) < 1200  # both answers were asked for


def _agrees(calls: list[Call], dice: Random) -> bool:
    final = [dice.choice([None, 1, 2, 3])] if dice.random() < 0.6 else []
    answer = is_linearizable(calls, None, *final)
    assert answer == any(_explains(order, final) for order in _orders(calls)), list(map(str, calls))
    return answer


def _some_calls(dice: Random) -> Iterator[Call]:
    """A few calls on three values, of which some answers are possible."""
    for number in range(1, dice.randint(2, 6)):
        verb = dice.choice([Verb.READ, Verb.PUT, Verb.CHANGE, Verb.DELETE])
        called, fate = dice.uniform(0, 5), dice.choice([Fate.OK, Fate.OK, Fate.UNKNOWN])
        made = call(verb, called, called + dice.uniform(0, 3) if fate is Fate.OK else NEVER, fate)
        made.value = dice.choice([None, 1, 2, 3]) if verb is Verb.READ else number
        made.expected = dice.choice([1, 2, 3])
        made.matched = dice.random() < 0.5
        yield made


def _orders(calls: list[Call]) -> Iterator[tuple[Call, ...]]:
    """Every order that time allows, with any of the unknown calls or none."""
    certain = [one for one in calls if one.fate is Fate.OK]
    unknown = [one for one in calls if one.fate is Fate.UNKNOWN and one.verb is not Verb.READ]
    for amount in range(len(unknown) + 1):
        for some in combinations(unknown, amount):
            for order in permutations((*certain, *some)):
                if all(one.called <= other.returned for one, other in combinations(order, 2)):
                    yield order


def _explains(order: tuple[Call, ...], final: list[int | None]) -> bool:
    state: int | None = None
    for one in order:
        allowed, state = step(one, state)
        if not allowed:
            return False
    return not final or state in final
