"""Vectors in kernels: each operation against NumPy's."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba.core.errors import TypingError

from mirsweep.scanner._vectors import WIDTH, choose, equal, less, load, lower, spread, store

ROWS = 7


@numba.njit
def combine(a, b, number, at, out):
    x, y = load(a, at), load(b, at)
    store(out[0], at, x + y)
    store(out[1], at, x & y)
    store(out[2], at, x | y)
    store(out[3], at, lower(x, y))
    store(out[4], at, equal(x, spread(number)))
    store(out[5], at, less(x, y))
    store(out[6], at, choose(less(x, y), spread(number), y))


@given(st.data(), st.sampled_from([np.int16, np.int32]), st.integers(0, 3))
def test_operations_are_those_of_numpy(data, dtype, at):
    limits = np.iinfo(dtype)
    numbers = st.one_of(st.integers(-2, 2), st.integers(int(limits.min), int(limits.max)))
    n = WIDTH + 3
    a, b = (np.array(data.draw(st.lists(numbers, min_size=n, max_size=n)), dtype) for _ in range(2))
    number = dtype(data.draw(st.sampled_from([*a.tolist(), 5])))
    out = np.full((ROWS, n), 7, dtype)
    combine(a, b, number, at, out)
    expected = np.array([
        a + b, a & b, a | b, np.minimum(a, b), -(a == number).astype(dtype), -(a < b).astype(dtype),
        np.where(a < b, number, b),
    ])  # fmt: skip
    own = slice(at, at + WIDTH)
    assert (out[:, own] == expected[:, own]).all()
    assert (np.delete(out, own, axis=1) == 7).all()  # nothing else is written


@numba.njit
def first_of(row, out):
    store(out, 0, load(row, 0))


@numba.njit
def sum_of(a, b, out):
    store(out, 0, load(a, 0) + load(b, 0))


def test_what_is_no_row_or_no_pair_of_equals_is_refused():
    row, wide = np.zeros(WIDTH, np.int16), np.zeros(WIDTH, np.int32)
    with pytest.raises(TypingError, match="side by side"):
        first_of(np.zeros(2 * WIDTH, np.int16)[::2], row)
    with pytest.raises(TypingError):
        sum_of(row, wide, row)
