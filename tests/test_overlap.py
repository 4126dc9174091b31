"""The rules of overlap, against an oracle that counts bases one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirsweep.jobs.results.overlap import (
    NEAR_NT,
    SortedIntervals,
    is_near,
    lies_on_repeat,
    overlaps_by_half,
    recovers,
    share_half,
    shared_nt,
)

INTERVALS = st.tuples(st.integers(0, 400), st.integers(1, 60)).map(lambda given: (given[0], given[0] + given[1]))
MANY = st.lists(INTERVALS, max_size=12)


def bases(interval: tuple[int, int]) -> set[int]:
    return set(range(*interval))


def n_shared(one: tuple[int, int], other: tuple[int, int]) -> int:
    return len(bases(one) & bases(other))


def does_recover(candidate, locus) -> bool:
    n = n_shared(candidate, locus)
    return 10 * n >= 7 * len(bases(locus)) and 10 * n >= 4 * len(bases(candidate))


def comes_near(candidate, locus) -> bool:
    return bool(bases(candidate) & set(range(locus[0] - NEAR_NT, locus[1] + NEAR_NT)))


def columns(intervals) -> np.ndarray:
    return np.array(intervals, np.int64).reshape(-1, 2).T


@given(INTERVALS, INTERVALS)
def test_shared_bases_are_counted(one, other):
    found = int(shared_nt(*one, *other))
    assert max(0, found) == n_shared(one, other)
    if found < 0:
        assert -found == max(one[0], other[0]) - min(one[1], other[1])


@given(MANY, INTERVALS)
def test_each_rule_is_what_it_says(candidates, place):
    starts, ends = columns(candidates)
    assert recovers(starts, ends, *place).tolist() == [does_recover(each, place) for each in candidates]
    assert is_near(starts, ends, *place).tolist() == [comes_near(each, place) for each in candidates]
    on_repeat = [10 * n_shared(each, place) >= 6 * len(bases(each)) for each in candidates]
    assert lies_on_repeat(starts, ends, *place).tolist() == on_repeat
    halves = []
    for each in candidates:
        by_half = 2 * n_shared(each, place) >= min(len(bases(each)), len(bases(place)))
        assert overlaps_by_half(*each, *place) == overlaps_by_half(*place, *each) == by_half
        halves.append(by_half)
    assert share_half(starts, ends, *place).tolist() == halves


@given(MANY, INTERVALS)
def test_sorted_intervals_miss_none(candidates, place):
    starts, ends = columns(candidates)
    intervals = SortedIntervals.of(starts, ends)
    for found, rule in ((intervals.recovering(*place), does_recover), (intervals.near(*place), comes_near)):
        assert sorted(found.tolist()) == [row for row, each in enumerate(candidates) if rule(each, place)]
        assert (np.diff(starts[found]) >= 0).all()


def test_rows_are_those_of_the_table():
    starts, ends = np.array([50, 10, 30, 10]), np.array([60, 20, 40, 21])
    assert SortedIntervals.of(starts, ends, np.array([3, 1, 0])).recovering(10, 20).tolist() == [3, 1]


@pytest.mark.parametrize(
    ("start", "end", "is_recovered"), [(0, 69, False), (0, 70, True), (-75, 175, True), (-75, 176, False)]
)
def test_seventy_and_forty_percent_are_enough(start, end, is_recovered):
    assert recovers(np.array([start]), np.array([end]), 0, 100).tolist() == [is_recovered]
