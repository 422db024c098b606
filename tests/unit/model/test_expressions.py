from __future__ import annotations

import ast
import math
import pickle
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model.expressions import Expression, names_of

VALUES: dict[str, Any] = {
    "a": 3, "b": 0.5, "zero": 0, "big": 10**200, "name": "adam", "on": True, "none": None,
    "shape": [64, 32], "table": {"x": 1}, "inf": math.inf, "nan": math.nan,
}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "a + b * 2 - -a", "a // 2 % 2", "a / 2", "2 ** a", "a ** -1", "b ** 0.5", "+on",
        "a == 3 and name != 'sgd'", "not on or a", "on and a", "none or 'x'", "1 < a <= 3 < 4",
        "name in ('adam', 'sgd')", "'da' in name", "a not in [1, 2]", "none is None",
        "on is True", "a is not None", "a if on else b", "shape == [64, 32]", "64 in shape",
        "int(b * 3)", "round(b * 3.33, 1)", "round(a)", "min(a, b, 7)", "max(shape)", "abs(-a)",
        "inf > a", "nan == nan", "1e999 == inf", "name + '.h5'", "name < 'b'", "on + 1",
        "zero * inf", "[a, b]", "(a)", "  a  ", "table == table",
    ],
)  # fmt: skip
def test_an_expression_means_what_it_means_in_python(text: str) -> None:
    assert repr(Expression(text).value(VALUES)) == repr(eval(text.strip(), dict(VALUES)))


def test_a_tuple_is_a_list_as_in_every_parameter() -> None:
    assert Expression("shape == (64, 32)").holds(VALUES)
    assert Expression("(a, (b,))").value(VALUES) == [3, [0.5]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("9**9**9", "300 digits"),
        ("a ** 10**100", "300 digits"),
        ("10.0 ** 400", "300 digits"),
        ("big * big", "300 digits"),
        ("1" * 301 + "0", "300 digits"),
        ("1" * 5000, "300 digits"),
        ("[0] * 10**9", "only numbers"),
        ("'a' * 10**9", "only numbers"),
        ("'%0999999999d' % 1", "only numbers"),
        ("f'{a:0999999999d}'", "an f-string"),
        ("1 << 10**9", "only the operators"),
        ("(" * 300 + "a" + ")" * 300, "nested"),
        ("[" * 120 + "]" * 120, "nested too deeply"),
        ("-" * 9_000 + "a", "nested too deeply"),
        ("-" * 100_000 + "a", "10,000 characters"),
        ("+".join("a" * 2_000), "nested too deeply"),
        (f"a in [{'1,' * 3_000}]", "2,000 parts"),
        ("name.upper", "an attribute"),
        ("().__class__.__bases__", "an attribute"),
        ("shape[0]", "an item"),
        ("open('x')", r"open\(...\) cannot be called"),
        ("a.real()", "a method"),
        ("(lambda: 1)()", "a method"),
        ("max(a, b, key=abs)", "by name"),
        ("max()", "another number"),
        ("max(a)", "several numbers"),
        ("max([])", "takes numbers"),
        ("abs('x')", "takes numbers"),
        ("int('3')", "takes numbers"),
        ("int(inf)", "no number"),
        ("round(nan)", "no number"),
        ("round(b, 10**6)", "small whole number"),
        ("lambda: 1", "a function"),
        ("[i for i in shape]", "a comprehension"),
        ("[*shape]", "a star"),
        ("{'a': 1}", "a dict"),
        ("(x := 3)", ":="),
        ("await a", "cannot stand"),
        ("~a", "write `not`"),
        ("a is 1", "write =="),
        ("a is b", "write =="),
        ("1j", "complex"),
        ("b'x'", "bytes"),
        ("...", "ellipsis"),
        ("a / zero", "divided by zero, where a = 3, zero = 0"),
        ("a // zero", "divided by zero"),
        ("zero ** -1", "divided by zero"),
        ("(-8) ** 0.5", "no real number"),
        ("a < name", "cannot compare a number and a text"),
        ("none < a", "cannot compare None and a number"),
        ("a in 3", "needs a list"),
        ("a in name", "needs a list"),
        ("-name", "only numbers"),
        ("shape + shape", "only numbers"),
        ("name + a", "only numbers"),
        ("name + " + repr("x" * 1_000), "1,000 characters"),
        ("missing + 1", "missing has no value here"),
        ("", "invalid syntax"),
        ("a = 3", "invalid syntax"),
        ("\0", "null bytes"),
        ("\ud800", "surrogates"),
    ],
)  # fmt: skip
def test_what_is_not_allowed_is_refused_in_one_quick_sentence(text: str, words: str) -> None:
    begin = time.perf_counter()
    with pytest.raises(SpaceError, match=words) as caught:
        Expression(text).value(VALUES)
    assert time.perf_counter() - begin < 2
    assert str(caught.value).startswith("`")
    assert len(str(caught.value)) < 300


SIGNS = ["+", "-", "*", "/", "//", "%", "**", "<", "==", "in", "is", "and", "or"]
ATOMS = st.sampled_from([*VALUES, "1", "2.5", "'x'", "True", "None", "()", "10**3", "-7"])
PARTS = st.one_of(
    st.tuples(
        ATOMS,
        st.sampled_from(["+", "-", "*", "/", "//", "%", "**", "<", "==", "in", "is", "and", "or"]),
        ATOMS,
    ).map(" ".join),
    st.tuples(st.sampled_from(["int", "round", "max", "abs", "not", "-"]), ATOMS).map(
        lambda pair: f"{pair[0]}({pair[1]})"
    ),
)
TEXTS = st.recursive(
    ATOMS | PARTS,
    lambda inner: st.tuples(inner, st.sampled_from(["+", "*", "**", "<=", "and"]), inner).map(
        lambda three: f"({three[0]}) {three[1]} ({three[2]})"
    ),
    max_leaves=6,
)


@given(TEXTS | st.text(max_size=30))
@example("a ** a ** a ** a ** a")
def test_any_text_has_a_value_or_a_sentence(text: str) -> None:
    try:
        value = Expression(text).value(VALUES)
    except SpaceError:
        return
    # Whatever has a value has the same one in Python.
    expected = eval(text.strip(), dict(VALUES))
    assert repr(value) == repr(expected) or isinstance(expected, (tuple, list))


def test_many_evaluations_are_quick() -> None:
    expression = Expression("units * layers <= 400 and optimizer in ('sgd', 'adam')")
    values = {"units": 64, "layers": 4, "optimizer": "adam"}
    spent = []
    for _ in range(3):  # a busy machine may be slow once
        begin = time.process_time()
        assert all(expression.holds(values) for _ in range(100_000))
        spent.append(time.process_time() - begin)
    assert min(spent) < 1


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a + max(b, 3)", {"a", "b"}),
        ("max + 1", {"max"}),
        ("[2**i for i in n]", {"n"}),
        ("(lambda x: x + y)(z)", {"y", "z"}),
        ("np.sqrt(x)", {"np", "x"}),
        ("1 + 2", set()),
    ],
)
def test_the_names_that_an_expression_reads(text: str, names: set[str]) -> None:
    assert names_of(ast.parse(text, mode="eval")) == names


def test_expressions_are_equal_by_their_text_and_can_be_pickled() -> None:
    expression = Expression("a + 1")
    assert pickle.loads(pickle.dumps(expression)) == expression != Expression("a + 2")
    assert expression.value({"a": 1}) == 2
    assert (set(expression.names), expression.size) == ({"a"}, 3)
