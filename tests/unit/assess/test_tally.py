"""Counting streams in bounded memory, compared with counting them exactly."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from proxy.assess.tally import EDGES, EXAMPLES, Distinct, Examples, Heavy, Histogram


def test_a_histogram_has_every_size_in_its_bucket() -> None:
    histogram = Histogram()
    for size in (1, 128, 129, 409_600, 409_601, 10**7):
        histogram.add(size)
    assert histogram.counts[0] == 2
    assert histogram.counts[1] == 1
    assert histogram.counts[len(EDGES) - 1] == 1
    assert histogram.counts[len(EDGES)] == 2
    assert (histogram.number, histogram.largest) == (6, 10**7)


def test_quantiles_are_within_their_bucket() -> None:
    histogram, chance = Histogram(), random.Random(4)
    sizes = sorted(int(chance.lognormvariate(7, 1.5)) + 1 for _ in range(5000))
    for size in sizes:
        histogram.add(size)
    for share in (0.1, 0.5, 0.9, 0.99):
        exact = sizes[int(share * len(sizes))]
        assert exact / 2 <= histogram.quantile(share) <= exact * 2
    assert histogram.quantile(1) == sizes[-1]
    assert Histogram().quantile(0.5) == 0


def test_examples_are_of_the_whole_stream() -> None:
    examples = Examples()
    for number in range(10_000):
        examples.add(str(number))
    assert (examples.count, len(examples.kept)) == (10_000, EXAMPLES)
    assert max(map(int, examples.kept)) > 1000


@pytest.mark.parametrize("number", [0, 1, 1024, 50_000])
def test_distinct_values_are_counted_about_right(number: int) -> None:
    distinct = Distinct()
    for _ in range(2):
        for value in range(number):
            distinct.add(f"v{value}")
    assert distinct.estimate == (number if number < 1024 else pytest.approx(number, rel=0.1))


def test_the_heaviest_value_is_found_among_very_many() -> None:
    heavy, exact, chance = Heavy(), Counter[str](), random.Random(2)
    for number in range(30_000):
        value = "big" if number % 3 == 0 else f"v{chance.randrange(20_000)}"
        heavy.add(value, 10)
        exact[value] += 10
    assert exact["big"] <= heavy.heaviest <= exact["big"] + heavy.total / Heavy.WIDTH
    assert heavy.share == pytest.approx(1 / 3, abs=0.002)
