"""Cells with conditions, constraints, rows and derived values."""

from __future__ import annotations

import contextlib
import math
import os
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_gridgpu import together, uniform
from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model.axes import Axis, Choice, Fixed, Range, Repeats
from jupyter_gridgpu.model.expressions import Expression
from jupyter_gridgpu.model.grammar import parse_space, space_of
from jupyter_gridgpu.model.space import Space
from jupyter_gridgpu.model.space_cell import cell_body
from jupyter_gridgpu.model.space_record import to_json
from jupyter_gridgpu.model.statements import (
    Assign,
    Derived,
    Require,
    Statement,
    Together,
    When,
)
from tests.random_spaces import CONTINUOUS, DEFAULTS, DISCRETE, statements

CELL = """
optimizer = ["adam", "sgd"]
if optimizer == "sgd":
    momentum = uniform(0.5, 0.99)
    nesterov = [True, False]
elif optimizer in ("adam", top):
    momentum = 0.0
else:
    momentum = [0.1, 0.2]
units, layers = together([(64, 4), (128, 3), (256, 2)])
batch = logint(256, 16000)
assert units * layers <= limits["most"]      # a constraint
batch_per_step = batch // 4                  # follows from another
"""


def test_a_cell_says_all_of_it() -> None:
    space = parse_space(CELL, {"top": "lion", "limits": {"most": 400}})
    assert space.statements == (
        Assign("optimizer", Choice(("adam", "sgd"))),
        When(
            Expression("optimizer == 'sgd'"),
            (
                Assign("momentum", Range(0.5, 0.99)),
                Assign("nesterov", Choice((True, False))),
            ),
            (
                When(
                    Expression("optimizer in ('adam', 'lion')"),
                    (Assign("momentum", Fixed(0.0)),),
                    (Assign("momentum", Choice((0.1, 0.2))),),
                ),
            ),
        ),
        Together(("units", "layers"), ((64, 4), (128, 3), (256, 2))),
        Assign("batch", Range(256, 16000, log=True, whole=True)),
        Require(Expression("units * layers <= 400")),
        Assign("batch_per_step", Derived(Expression("batch // 4"))),
    )
    assert cell_body(space) == (
        'optimizer = ["adam", "sgd"]\n'
        "if optimizer == 'sgd':\n"
        "    momentum = uniform(0.5, 0.99)\n"
        "    nesterov = [True, False]\n"
        "elif optimizer in ('adam', 'lion'):\n"
        "    momentum = 0.0\n"
        "else:\n"
        "    momentum = [0.1, 0.2]\n"
        "units, layers = together([(64, 4), (128, 3), (256, 2)])\n"
        "batch         = logint(256, 16000)\n"
        "assert units * layers <= 400\n"
        "batch_per_step = batch // 4"
    )


@pytest.mark.any_cell
@given(statements(DISCRETE | CONTINUOUS))
@settings(max_examples=int(os.environ.get("GRIDGPU_TEST_EXAMPLES", "50")))
def test_a_cell_of_a_space_means_the_space(made: list[Statement]) -> None:
    again = parse_space(cell_body(Space.of(made)))
    # The first round may write an expression in other words, and make a fixed value of what follows
    # from fixed values alone. The second one changes nothing any more.
    assert parse_space(cell_body(again)) == again
    space, read = Space.of(made, DEFAULTS), Space.of(again.body, DEFAULTS)
    assert read.grid_size() == space.grid_size()
    if space.grid_size() is not None:
        assert list(read.grid()) == list(space.grid())


@pytest.mark.parametrize(
    "text", ["a > 1  # a comment", "(a\n > 1)", "a in\\\n[2, '#']", "  a > 1 ", "(a > 1)", "a == 2"]
)
def test_any_text_of_an_expression_stands_in_a_line(text: str) -> None:
    condition = Expression(text)
    axis = Assign("a", Choice((1, 2)))
    when = When(condition, (Require(condition), Assign("b", Derived(condition))))
    made: list[Statement] = [axis, when]
    again = parse_space(cell_body(Space.of(made)))
    assert list(again.grid()) == list(Space.of(made).grid()) == [{"a": 1}, {"a": 2}]
    assert again.complete({"a": 2}) == {"a": 2, "b": True}


def test_a_derived_list_is_written_as_one_value() -> None:
    for text in ("a, 3", "(a, 3)", "[a, 3]"):
        space = Space.of([Assign("a", Choice((1, 2))), Assign("b", Derived(Expression(text)))])
        assert parse_space(cell_body(space)).complete({"a": 2}) == {"a": 2, "b": [2, 3]}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
WHOLE = st.integers(1, 1000)
AXES: st.SearchStrategy[Axis] = st.one_of(
    VALUES.map(Fixed),
    st.builds(
        lambda values, ordered: Choice(tuple(values), ordered),
        st.lists(VALUES, min_size=1, max_size=4),
        st.booleans(),
    ),
    st.builds(
        lambda low, more, log: Range(low, low + more, log, True), WHOLE, WHOLE, st.booleans()
    ),
    st.builds(lambda low, more: Range(low, low + 5 * more, whole=True, step=more), WHOLE, WHOLE),
    st.builds(lambda low, more: Range(low / 7, low / 7 + more), WHOLE, WHOLE),
    st.builds(lambda low, more: Range(low / 7, low / 7 + more, step=more / 9), WHOLE, WHOLE),
    WHOLE.map(Repeats),
)


@given(AXES)
def test_every_axis_can_be_written(axis: Axis) -> None:
    space = parse_space(cell_body(Space({"x": axis})))
    assert repr(space.axes["x"]) == repr(axis)


@pytest.mark.parametrize("name", ["learning.rate", "lambda", "größe rate"])
def test_a_name_that_is_none_in_python_is_said(name: str) -> None:
    with pytest.raises(SpaceError, match="no name in Python"):
        cell_body(Space({name: Fixed(1)}))


NAMES = {
    "k": 3,
    "np": np,
    "a": 100,
    "names": ["x", "y"],
    "bad": math.nan,
    "later": 5,
    "zero": 0,
    "few": {},
}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        # Whatever reads no parameter is evaluated as it always was.
        ("x = [2**a for a in range(2)]", [Assign("x", Choice((1, 2)))]),
        ("k = 7\nx = [k for k in range(2)]", [Assign("k", Fixed(7)), Assign("x", Choice((0, 1)))]),
        ("x = later\nlater = 1", [Assign("x", Fixed(5)), Assign("later", Fixed(1))]),
        ("max = 3\nx = max(1, 2)", [Assign("max", Fixed(3)), Assign("x", Fixed(2))]),
        # A parameter with one value is a constant.
        ("n = 4\nx = [n, 2 * n]", [Assign("n", Fixed(4)), Assign("x", Choice((4, 8)))]),
        ("n = 4\nx = uniform(0, n)", [Assign("n", Fixed(4)), Assign("x", Range(0.0, 4.0))]),
        ("a = 4\nx = a", [Assign("a", Fixed(4)), Assign("x", Fixed(4))]),
        # A parameter of an earlier line wins over a variable, and variables are constants.
        ("a = [1, 2]\nx = a * k", [("x", "a * 3")]),
        ("a = [1, 2]\nx = a ** -k", [("x", "a ** 3")]),
        ("a = [1, 2]\nx = max(a, int(np.pi))", [("x", "max(a, 3)")]),
        ("a = [1, 2]\nx = fixed([a, k])", [("x", "[a, 3]")]),
        ("a = [1, 2]\nx = a in names", [("x", "a in ['x', 'y']")]),
        ("max = [1, 2]\nx = max(max, 3)", [("x", "max(max, 3)")]),
        ("a = [1, 2]\nx = a if a > 1 else k", [("x", "a if a > 1 else 3")]),
        # A condition that reads no parameter is decided at once.
        ("if k > 2:\n  x = 1\nelse:\n  x = oops", [Assign("x", Fixed(1))]),
        ("x = 1\nif len(names) > 9:\n  y = 2\nassert k", [Assign("x", Fixed(1))]),
        ("x = [1, 2]\nif x > 1:\n  pass", [Assign("x", Choice((1, 2)))]),
    ],
)
def test_what_a_line_reads_decides_what_it_is(text: str, read: list[Any]) -> None:
    wanted = [
        item if isinstance(item, Assign) else Assign(item[0], Derived(Expression(item[1])))
        for item in read
    ]
    found = list(parse_space(text, NAMES).body)
    if text.endswith("-k"):
        wanted = [Assign("x", Derived(Expression("a ** (-3)")))]
    assert [repr(item) for item in found[-len(wanted) :]] == [repr(item) for item in wanted]


@pytest.mark.parametrize(
    ("text", "grid"),
    [
        # A branch that is never taken need not make sense, whatever stands in it.
        ("n = 0\nif n > 0:\n  x = 64 // n", [{}]),
        ("n = 0\nif n > 0:\n  x = [64 // n, 9]", [{}]),
        ("n = None\nif n is not None:\n  x = uniform(0, n)\nelse:\n  x = 1", [{}]),
        ("n = 4\nif n > 2:\n  x = 1\nelif 1 // (n - 4):\n  y = [2 // (n - 4)]", [{}]),
        # Neither need a value that is asked for only where there is one.
        ("n = 0\na = [1, 2]\nif a > 1 and n > 0:\n  x = 64 // n", [{"a": 1}, {"a": 2}]),
        # What the branch gives that is taken has one value behind it, too.
        ("n = 4\nif n > 2:\n  u = 8\nelse:\n  u = [1, 2]\nx = [u, 2 * u]", [{"x": 8}, {"x": 16}]),
        ("n = 4\nif n:\n  u = 8\nif u > 9:\n  x = [1, 2]", [{}]),
        # Neither need a part of an expression that is never computed.
        ("a = [1, 2]\nassert not zero or a % zero == 0", [{"a": 1}, {"a": 2}]),
        ("a = [1, 2]\nassert a < (9 // zero if zero else 2)", [{"a": 1}]),
        ("a = [1, 2]\nassert a < (few['x'] if 'x' in few else 2)", [{"a": 1}]),
        ("a = [1, 2]\nassert a < few.get('x', 2) * len(names) / 2", [{"a": 1}]),
        # Python's own functions may be called, and types compared.
        ("a = [1]\nif isinstance(k, int) and type(k) == int:\n  x = [5]", [{"a": 1, "x": 5}]),
        # A constraint that never holds leaves out the points of its branch alone.
        ("a = [1, 2]\nif a > 1:\n  assert k > 5", [{"a": 1}]),
    ],
)
def test_a_condition_on_fixed_values_is_decided_at_once(text: str, grid: list[Any]) -> None:
    space = parse_space(text, NAMES)
    assert list(space.grid()) == grid
    assert space.grid_size() == len(grid)
    assert not space.has_conditions
    assert parse_space(cell_body(space)) == space


def test_a_branch_that_may_be_taken_must_make_sense() -> None:
    with pytest.raises(SpaceError, match="Line 4, x: ZeroDivisionError"):
        parse_space("n = 0\na = [1, 2]\nif a > 1:\n  x = [64 // n]")
    space = parse_space("n = 0\na = [1, 2]\nif a > 1:\n  x = 64 // n")
    with pytest.raises(SpaceError, match="divided by zero, where n = 0"):
        list(space.grid())


def test_a_negative_constant_keeps_its_sign_to_itself() -> None:
    space = parse_space("a = [2, 3]\nx = n ** a", {"n": -3})
    assert space.complete({"a": 2})["x"] == 9


def test_a_parameter_that_is_a_variable_too_is_said_once() -> None:
    space = parse_space("a = [1, 2]\nb = a + 1\nassert a > b - 3\nif a: c = 1", {"a": 7, "b": 8})
    (remark,) = space.remarks
    assert remark.startswith("a, b: a parameter of the scan and a variable")
    assert parse_space("a = 7\nb = a + 1", {"a": 7}).remarks == ()
    assert parse_space("a = [1, 2]\nb = 3", {"a": 7, "b": 3}).remarks == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x" * 300 + " = 1", "a name has more than 200 characters"),
        ("x = y\ny = x", "Line 1, x: y is given only in line 2"),
        ("x = x + 1", "Line 1, x: x cannot be computed from itself"),
        ("a = [1, 2]\nx = a + x", "Line 2, x: x cannot be computed from itself"),
        ("a = [1, 2]\nx = a + y\ny = 2", "y is given only in line 3"),
        ("if lr > 1:\n  x = 1\nlr = [1, 2]", "Line 1, if: lr is given only in line 3"),
        ("if later > 1:\n  x = 1\nlater = [1, 2]", "later is given only in line 3"),
        ("assert lr > 1\nlr = [1, 2]", "Line 1, assert: lr is given only in line 2"),
        ("a = [1, 2]\nif a > 1:\n  b = 1\nelse:\n  c = b", "Line 5, c: b has no value here"),
        ("a = [1, 2]\nif b > a:\n  c = 1", "Line 2, if: b is neither a parameter"),
        ("if oops: x = 1", "Line 1, if: NameError.* needs a line above that gives it a value"),
        ("x = [1, 2]\nif x = 1: y = 2", r"'='\? Write one"),
        ("assert oops", "Line 1, assert: NameError"),
        # The word of a builtin is a parameter that no line above gives, not the builtin.
        ("if id == 3: x = 1", "Line 1, if: id is a function of Python here. A parameter of the"),
        ("if not list: x = 1", "Line 1, if: list is a function of Python here"),
        ("x = [1]\nassert 0 < max", "Line 2, assert: max is a function of Python here"),
        ("if k > 1 or type == 'a': x = 1\ntype = ['a']", "Line 1, if: type is a function"),
        ("x = 1\nassert k > 5", "Line 2: assert k > 5 does not hold"),
        ("a = [1, 2]\nassert a > 1, 'why'", "no message"),
        ("a = [1, 2]\nassert a.real", "an attribute"),
        ("a = [1, 2]\nassert a > bad", "NaN"),
        ("a = [1, 2]\nassert a > np", "module cannot be a parameter"),
        ("a = [1, 2]\nx = [a * n for n in (1, 2)]", "Line 2, x: .*a comprehension cannot stand"),
        ("a = [1, 2]\nx = max(a * n for n in (1, 2))", "a comprehension cannot stand"),
        ("a = [1, 2]\nx = lambda n: n + a", "a function cannot stand"),
        ("a = ['s', 't']\nx = f'{a}.h5'", r"an f-string \(join texts by \+\) cannot"),
        ("a = [1, 2]\nassert half(a)", r"half\(...\) cannot be called"),
        ("a = [1, 2]\nx = 9**9**9 + a", "Line 2, x: .*300 digits"),
        ("a = [1, 2]\nx = a * 9**9**9", "Line 2, x: .*300 digits"),
        ("a = [1, 2]\nx = [a] * 10**9", "Line 2, x: .*only numbers"),
        ("a = [1, 2]\nx = '%0999999999d' % a", "Line 2, x: .*only numbers"),
        ("a = [1, 2]\nx = f'{1:0999999999d}'", "too long"),
        ("a = [1, 2]\nassert (a > 1, a < 2)", "a list always counts as true"),
        ("a = [1, 2]\nx = (y := a)", "`:=` cannot stand"),
        ("x, y = together(zip([1, 2, 3], [4, 5]))", "zip gets lists of 2 and 3 values"),
        ("x, y = together(zip([1, 2, 3], [4, 5], strict=True))", "zip gets lists of 2 and 3"),
        ("x, y = together(zip((n for n in [1, 2]), [4], strict=True))", "together.*shorter"),
        ("a = [1, 2]\nx = uniform(0, a)", "Line 2, x: the values of an axis cannot depend on a"),
        ("a = [1, 2]\nx = choice(a, 3)", "cannot depend on a"),
        ("a = [1, 2]\nx = fixed(a, 3)", "cannot depend on a"),
        ("a = [1, 2]\nx = [a, 3]", "one value or several"),
        ("a = [1, 2]\nx, y = together([(a, 3)])", "Line 2, x, y: .* cannot depend on a"),
        ("x, y = together([(1, 2), (3,)])", "row 2 has 1 values, row 1 has 2"),
        ("x, y = together([(1, 2, 3)])", "3 values, and there are 2 names"),
        ("x, y = together([])", "needs rows"),
        ("x, y = together([1, 2])", "row 1 is no list"),
        ("x = together([(1, 2)])", "values to several names"),
        ("x, x = together([(1, 2)])", "x is given twice"),
        ("x, *y = together([(1, 2)])", "not an assignment"),
        ("x, y = (1, 2)", "not an assignment"),
        ("a = [1, 2]\nif a:\n  a = 3", "Line 3: a is given twice"),
        ("a = [1, 2]\nif a:\n  b = 3\nb = 4", "Line 4: b is given twice"),
        ("a = [1, 2]\nif a:\n  s = repeats(2)", "Line 3, s: repeats.* under a condition"),
        ("s = repeats(3)\nif s:\n  x = 2", "Line 2, if: .*repeats every point"),
        ("pass", "not an assignment"),
        (f"0x{'1' * 5_000}", "not an assignment"),
        (f"a = [1, 2]\nassert a < 0x{'1' * 5_000}", "300 digits"),
        ("a = [1, 2]\nfor i in a: pass", "Line 2 is not an assignment"),
        ("x = permutation([1, 2])", "an order of values is no axis"),
        ("x = perms([1, 2])", "an order of values is no axis"),
        ("x = uniform(0, 1, step=0)", "step must be above 0"),
        ("x = uniform(0, 1, step=2)", "fit between"),
        ("x = uniform(0, 1, step='a')", "must be a number"),
        ("x = uniform(0, 1, step=1e-12)", "more than 1,000,000,000 values"),
        ("x = integer(0, 9, step=0.5)", "must be a whole number"),
        ("x = loguniform(1, 9, step=2)", "step"),
        ("x = ordinal()", "empty"),
        ("\n".join(["if k > 9:", "  x = 1", *["elif k > 9:", "  x = 1"] * 400]), "conditions"),
        ("a = [1]\n" + "\n".join(["if a:", "  x = 1", *["elif a:", "  x = 1"] * 40]), "conditions"),
    ],
)
def test_a_bad_line_is_refused_in_one_sentence(text: str, words: str) -> None:
    names = {**NAMES, "perms": permutations}
    with pytest.raises(SpaceError, match=words) as caught:
        parse_space(text, names)
    assert "\n" not in str(caught.value)


@given(st.text(alphabet="ab=:<>+*/()[],12 \n'ifelsandotr", max_size=60))
@settings(max_examples=300)
def test_any_lines_are_a_space_or_a_space_error(text: str) -> None:
    with contextlib.suppress(SpaceError):
        parse_space("a = [1, 2]\n" + text, {"b": 3})


def test_a_mapping_may_have_rows_too() -> None:
    rows = together([(64, 4), (128, 3)])
    space = space_of({("units", "layers"): rows, "lr": uniform(0, 1), "n": 3})
    assert space == parse_space(
        "units, layers = together((64, 4), (128, 3))\nlr = uniform(0, 1)\nn = 3"
    )
    assert space_of({("a", "b"): zip([1, 2], [3, 4])}) == parse_space(  # noqa: B905
        "a, b = together(zip([1, 2], [3, 4]))"
    )
    assert space_of({("a", "b"): np.array([[1, 2], [3, 4]])}).grid_size() == 2
    with pytest.raises(SpaceError, match=r"a, b: together.*: zip gets lists of 1 and 2 values"):
        space_of({("a", "b"): zip([1, 2], [3])})  # noqa: B905
    for name in (3, ("a", 3), None):
        with pytest.raises(SpaceError, match=r"(3|a, 3|None): names of parameters are texts"):
            space_of({name: [(1, 2)]})
    with pytest.raises(SpaceError, match="an order of values is no axis"):
        space_of({"a": permutations([1, 2])})
    with pytest.raises(SpaceError, match="a, b: the rows have 3 values"):
        space_of({("a", "b"): [(1, 2, 3)]})


def test_what_means_the_same_is_kept_the_same() -> None:
    one = parse_space("a = [1, 2]\nif a==1 and (a<k):\n  b = [1,2]", {"k": 3})
    other = parse_space("a=[1,2]\nif (a == 1) and a < 3: b=choice(1, 2)")
    assert to_json(one) == to_json(other)
