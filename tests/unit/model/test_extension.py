"""What may be added to a space, and which points a space has then."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jupyter_gridgpu.errors import GridGpuError, SpaceError
from jupyter_gridgpu.model import extension
from jupyter_gridgpu.model.axes import Choice, Range
from jupyter_gridgpu.model.extension import Extension, extended
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.space import Space
from jupyter_gridgpu.model.space_cell import cell_body
from jupyter_gridgpu.model.statements import Assign, Statement, Together, When
from jupyter_gridgpu.samplers.grid import GridSampler
from tests.random_spaces import DEFAULTS, statements

SPACE = """
epochs = 20
lr = [0.1, 0.2]
size = ordinal(1, 2, 4)
opt = ["adam", "sgd"]
if opt == "sgd":
    momentum = uniform(0.5, 0.9)
    nesterov = [True, False]
    both = [1]
else:
    both = [2]
a, b = together([(1, 2), (3, 4)])
n = integer(3, 6)
s = uniform(0, 1, step=0.25)
g = logint(8, 64)
c = loguniform(1e-4, 1e-2)
layers = choice([64, 32], [8])
twice = a * 2
seed = repeats(3)
"""


def grown(add: str, space: str = SPACE, **more: Any) -> Space:
    body = parse_space(add).body if add else ()
    extension.require_axes(body)
    return extended(parse_space(space), Extension(add=body, **more))


def line(space: Space, name: str) -> str:
    lines = (text.strip() for text in cell_body(space).splitlines())
    found = [text for text in lines if text.split("=")[0].strip() == name]
    return " ".join(found[0].split())


@pytest.mark.parametrize(
    ("add", "name", "now"),
    [
        ("lr = [1e-5, 3e-5]", "lr", "lr = [0.1, 0.2, 1e-5, 3e-5]"),
        ("lr = 1e-5", "lr", "lr = [0.1, 0.2, 1e-5]"),
        ("lr = linspace(1, 2, 3)", "lr", "lr = [0.1, 0.2, 1.0, 1.5, 2.0]"),
        ("size = [8]", "size", "size = ordinal([1, 2, 4, 8])"),
        ("nesterov = [None]", "nesterov", "nesterov = [True, False, None]"),
        ("momentum = uniform(0.9, 0.99)", "momentum", "momentum = uniform(0.5, 0.99)"),
        ("a, b = together([(1, 3)])", "a, b", "a, b = together([(1, 2), (3, 4), (1, 3)])"),
        ("b, a = together([(3, 1)])", "a, b", "a, b = together([(1, 2), (3, 4), (1, 3)])"),
        ("n = integer(7, 9)", "n", "n = integer(3, 9)"),
        ("n = integer(1, 9)", "n", "n = integer(1, 9)"),
        ("s = uniform(1.25, 2, step=0.25)", "s", "s = uniform(0.0, 2.0, step=0.25)"),
        ("s = uniform(-0.5, 0, step=0.25)", "s", "s = uniform(-0.5, 1.0, step=0.25)"),
        ("g = logint(64, 128)", "g", "g = logint(8, 128)"),
        ("c = loguniform(1e-5, 1e-1)", "c", "c = loguniform(1e-5, 0.1)"),
        ("layers = fixed([16])", "layers", "layers = [[64, 32], [8], [16]]"),
        ("opt = ['lion']\nlr = 3", "opt", "opt = ['adam', 'sgd', 'lion']"),
    ],
)
def test_values_come_behind_those_that_an_axis_has(add: str, name: str, now: str) -> None:
    assert line(grown(add), name).replace('"', "'") == now


REFUSED = [
    ("lr = [0.1]", "lr: 0.1 is there already"),
    ("lr = [5, 5.0]", "lr: 5.0 is there already"),
    ("a, b = together([(3, 4)])", "is there already"),
    ("layers = choice([8], [9])", r"layers: \[8\] is there already"),
    ("lr = uniform(0, 1)", "lr has a list of values"),
    ("lr = ordinal(1, 2)", "its values have no order"),
    ("size = [3]", "come behind 4"),
    ("epochs = [30]", "epochs has one value in all points"),
    ("both = [3]", "both gets values in 2 lines"),
    ("twice = [3]", "twice follows from other parameters"),
    ("seed = [3]", "with --repeats"),
    ("seed = repeats(5)", "with --repeats"),
    ("moon = [1]", "moon is no parameter that the scan varies; there are lr, size"),
    ("moon, sun = together([(1, 2)])", "moon, sun is no parameter"),
    ("a = [5]", "a: rows are added together, like a, b ="),
    ("a, n = together([(1, 2)])", "rows are added together"),
    ("lr, n = together([(1, 2)])", "lr, n have no rows"),
    ("n = [7]", r"n has the range integer\(3, 6\)"),
    ("n = integer(1, 9, step=2)", "range of the same kind"),
    ("n = logint(1, 9)", "range of the same kind"),
    ("n = integer(4, 5)", "has all of these values already"),
    ("n = integer(8, 9)", "there is a gap"),
    ("momentum = uniform(0.95, 0.99)", "there is a gap"),
    ("s = uniform(0.1, 1.1, step=0.25)", "have the steps of"),
    ("s = uniform(1.5, 2, step=0.25)", "there is a gap"),
    ("s = uniform(0, 2, step=0.5)", "range of the same kind"),
    ("c = uniform(0, 1)", "range of the same kind"),
    ("x = [1]\nassert x > 0", "Only values of axes can be added"),
    ("x = [1]\ny = x + 1", "Only values of axes can be added"),
]


@pytest.mark.parametrize(("add", "words"), REFUSED)
def test_what_cannot_be_added_is_refused(add: str, words: str) -> None:
    with pytest.raises(SpaceError, match=words):
        grown(add)


def test_repeats_are_told_in_all() -> None:
    assert grown("", repeats=5).repeats == ("seed", 5)
    assert grown("lr = 3", repeats=4).repeat_count == 4
    for count in (1, 2, 3):
        with pytest.raises(SpaceError, match="3 repeats already"):
            grown("", repeats=count)
    with pytest.raises(SpaceError, match="start a new scan with a line like seed"):
        grown("", "lr = [1]", repeats=3)


def test_an_extension_reads_back_as_it_was_written() -> None:
    add = parse_space("lr = [1e-5, float('nan'), 'NaN']\na, b = together([(1, [2])])").body
    made = Extension(3, add, 5, ({"lr": "NaN", "x": None},))
    back = extension.from_json(extension.to_json(made))
    assert repr(back) == repr(made)
    assert back.texts() == [
        "lr = 1e-05, float(\"nan\"), 'NaN'".replace("'", '"'),
        "a, b = (1, [2])",
        "5 repeats",
        "1 own point",
        "3 points more",
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"add": 3}, {"add": [3]}, {"add": [{"name": "a", "kind": "moon"}]}, {"repeats": 0},
        {"repeats": "3"}, {"repeats": 10**6}, {"points": {}}, {"points": [3]}, {"trials": -1},
        {"points": [{"": 1}]}, {"add": [{"name": "a", "kind": "derived", "value": "1"}]},
        {"add": [{"name": "a", "kind": "repeats", "count": 3}]}, {"trials": 10**9},
    ],
)  # fmt: skip
def test_an_unsound_record_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(GridGpuError):
        extension.from_json(body)


def enumerated(space: Space) -> list[str]:
    return [repr(sorted(point.items())) for point in space.grid()]


@st.composite
def growing(draw: st.DrawFn) -> tuple[list[Statement], list[Statement]]:
    """Draw statements, and lines with values that they do not have."""
    made = draw(statements())
    names = [name for item in _flat(made) for name in _names(item)]
    add: list[Statement] = []
    for item in _flat(made):
        once = all(names.count(name) == 1 for name in _names(item))
        if once and draw(st.booleans()):
            add += _more(item)
    assume(add)
    return made, add


def _flat(made: Any) -> Any:
    for item in made:
        if isinstance(item, When):
            yield from _flat((*item.statements, *item.otherwise))
        elif isinstance(item, Together) or isinstance(getattr(item, "what", None), (Choice, Range)):
            yield item


def _names(item: Any) -> tuple[str, ...]:
    return item.names if isinstance(item, Together) else (item.name,)


def _more(item: Any) -> list[Statement]:
    if isinstance(item, Together):
        return [Together(item.names, ((7, 8), (9, 1)))]
    if isinstance(item.what, Choice):
        last = item.what.values[-1]
        more = (last + 7, last + 8)
        if item.what.ordered and item.what.values != tuple(sorted(item.what.values)):
            return []
        return [Assign(item.name, Choice(more))]
    wide = replace(item.what, low=item.what.low - 2 * (item.what.step or 1), high=item.what.high)
    return [Assign(item.name, wide)]


@settings(max_examples=100, deadline=None)
@given(growing())
def test_a_grid_has_its_old_points_first_and_each_point_once(
    pair: tuple[list[Statement], list[Statement]],
) -> None:
    made, add = pair
    old = Space.of(made, DEFAULTS)
    size = old.grid_size()
    assume(size is not None and size <= 60)
    new = extended(old, Extension(add=tuple(add)))
    found, before = enumerated(new), enumerated(old)
    assert found[: len(before)] == before
    plain = enumerated(replace(new, before=None))
    assert len(set(plain)) == len(found) == new.grid_size()
    assert set(found) == set(plain)
    assert extension.from_json(extension.to_json(Extension(add=tuple(add)))).add == tuple(add)


def test_a_grid_that_is_extended_again_and_again_goes_on() -> None:
    space = parse_space("a = [1, 2]\nb = [5, 6]\nif a > 1:\n    c = [0, 1]\nassert a + b != 7")
    seen = enumerated(space)
    for number in range(3, 9):
        add = parse_space(f"a = [{number}]\nb = [{number * 10}]").body
        space = extended(space, Extension(add=add))
        now = enumerated(space)
        assert now[: len(seen)] == seen
        assert len(set(now)) == len(now) == space.grid_size()
        assert len(now) > len(seen)
        seen = now
    sampler = GridSampler(space, ())
    proposed = [
        repr(sorted(point.params.items()))
        for index in range(0, len(seen), 7)
        for point in sampler.propose([], 7, 0, index)
    ]
    assert proposed == seen
    assert [
        repr(sorted(point.params.items())) for point in GridSampler(space, ()).propose([], 9, 0, 11)
    ] == seen[11:20]
