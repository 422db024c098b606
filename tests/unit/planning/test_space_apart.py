"""A space of a command is computed with limits, wherever in it a slip stands."""

from __future__ import annotations

import pytest

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.planning.space_apart import _is_plain, space_apart

PLAIN = [
    "lr = [1, 2]\nif lr > 1 and not lr in (3, 4):\n    x = uniform(0, 1)\nelse:\n    x = 2",
    "a, b = together([(1, 2)])\nassert max(a, b) <= 4 if a else b",
]
COMPUTED = [
    "lr = [1, 2]\nif lr > 1:\n    x = [i for i in range(10**10)]",
    "lr = [1, 2]\nassert lr < sum(range(10**11))",
    "if max(range(10**11)):\n    lr = 1",
    "n = 10**9\nlr = [0] * n",
]


@pytest.mark.parametrize("body", PLAIN)
def test_a_space_of_simple_parts_needs_no_process(body: str) -> None:
    assert _is_plain(body)
    assert space_apart(body) == parse_space(body)


@pytest.mark.parametrize("body", COMPUTED)
def test_whatever_may_take_for_ever_is_computed_apart(body: str) -> None:
    assert not _is_plain(body)


def test_a_slip_in_a_condition_ends() -> None:
    with pytest.raises(SpaceError, match="takes more"):
        space_apart(COMPUTED[0])


def test_statements_come_back_from_the_process() -> None:
    body = "lr = [2**k for k in range(3)]\nif lr > 1: x = [lr_ for lr_ in 'ab']\ny = lr * 2"
    assert space_apart(body) == parse_space(body)
