"""What a cell means is what Python makes of its lines: at each point, and in the grid."""

from __future__ import annotations

import os
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.space import Space
from jupyter_gridgpu.model.space_cell import cell_body
from tests.random_cells import DEFAULTS, VARIABLES, Cell, cell_of

pytestmark = pytest.mark.any_cell
CELLS = st.integers(0, 2**48).map(cell_of)
EXAMPLES = settings(max_examples=int(os.environ.get("GRIDGPU_TEST_EXAMPLES", "120")))
Results = list[tuple[dict[str, Any], Any]]


def read(text: str) -> Space:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # of Python itself, of `1 is not None`
        return parse_space(text, VARIABLES).with_defaults(DEFAULTS)


def in_order(space: Space, params: dict[str, Any]) -> str:
    return repr({name: params[name] for name in space if name in params})


@given(CELLS)
@EXAMPLES
def test_the_points_of_a_cell_are_those_that_python_finds(cell: Cell) -> None:
    meaning = cell.meaning()
    results = [(picks, meaning.params(picks)) for picks in cell.picks()]
    try:
        space = read(cell.text)
    except SpaceError:
        # Only what has no point anyway, or a part without a value, may be refused.
        assert cell.risky or not any(isinstance(found, dict) for _, found in results)
        return
    points = [check_point(space, picks, found) for picks, found in results]
    check_grid(space, [point for point in points if point is not None], bool(faults(results)))
    assert repr(read(cell_body(space))) == repr(space)


def faults(results: Results) -> list[Any]:
    return [found for _, found in results if isinstance(found, Exception)]


def check_point(space: Space, picks: dict[str, Any], found: Any) -> str | None:
    """Check one point against what Python found; return what a sampler chose for it, if any."""
    try:
        walk = space.point(lambda draw: picks[draw.key])
    except SpaceError:
        assert isinstance(found, Exception)
        return None
    if walk.broken is not None:
        assert found is None
        return None
    assert in_order(space, walk.params) == in_order(space, found)
    assert space.complete(walk.chosen) == walk.params
    return in_order(space, walk.chosen)


def check_grid(space: Space, points: list[str], faulty: bool) -> None:
    """Check that the grid has these points, each once, unless it says what has no value."""
    try:
        grid = [in_order(space, point) for point in space.grid()]
        size = space.grid_size()
    except SpaceError:
        assert faulty
        return
    assert grid == list(dict.fromkeys(points))
    assert size == len(grid)
