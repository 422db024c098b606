"""Odd and hostile spaces: every way to give one has the same meaning, or the same sentence."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu import choice, fixed, integer, ordinal, repeats, together, uniform
from jupyter_gridgpu.cli.space_options import space_text
from jupyter_gridgpu.errors import GridGpuError, SpaceError
from jupyter_gridgpu.model.grammar import parse_space, space_of
from jupyter_gridgpu.model.space import Space
from jupyter_gridgpu.model.space_record import to_json
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.request import plan
from jupyter_gridgpu.planning.space_apart import space_apart
from jupyter_gridgpu.testing.examples import notebook_json

A = "a = [1, 2]\n"
DEEP = "".join(f"{'    ' * level}if a > {level}:\n" for level in range(30)) + "    " * 30 + "b = 1"
# What each of them means, in short; or words of the sentence that refuses it.
MEANT = [
    ("größe = [1, 2]\nβ = größe * 2", ["größe", "β"]),
    ("ﬁt = [1, 2]", ["fit"]),  # as Python reads this name
    ("max = [1, 2]\nb = max(max, 3)", ["max", "b"]),
    ("len = [1, 2]\nassert len > 1", ["len"]),
    ("print = [1, 2]\nid = print + 1", ["print", "id"]),
    ("sum = [1, 2]\nb = sum([1, 2])", ["sum", "b"]),
    ("uniform = 3\na = uniform(0, 1)", ["uniform", "a"]),
    (A + "if a > 1: b = 3; c = [4, 5]", ["a", "b", "c"]),
    ("if 1 > 2: a = 1\nelse: a = [2]", ["a"]),
    ("s = ['x', 'y']\nb = s + '.h5'", ["s", "b"]),
    (A + "b = fixed([a, [a]])", ["a", "b"]),
    (A + "assert True", ["a"]),
    ("a: int = [1, 2]", ["a"]),
    ("a, b = together(zip([1, 2], [3, 4]))", ["a", "b"]),
    ("(a, b) = together([(1, 2)])", ["a", "b"]),
    ("a = 5\nif a > 3: b = [1, 2]", ["a", "b"]),
    ("a = 5\nif a > 9: b = oops", ["a"]),
    ("a = None\nif a is not None: b = [a, a / 2]", ["a"]),
    ("a = 1e999\nassert a > 1", ["a"]),
    ("a = float('nan')\nif a > 1: b = 1", ["a", "b"]),
    ("b = 'jets_20261127_%d' % 3", ["b"]),
    ("#" * 900_000 + "\n" + A, ["a"]),
]
REFUSED = [
    ("a = [1, 2]\na = 3", "Line 2: a is given twice"),
    (A + "if a > 1:\n    a = 3", "Line 3: a is given twice"),
    (A + "b = c\nc = a", "Line 2, b: c is given only in line 3"),
    ("a = a + 1", "Line 1, a: a cannot be computed from itself"),
    (A + "if oops > 1: b = 2", "Line 2, if: NameError: name 'oops' is not defined"),
    (A + "if a > oops: b = 2", "Line 2, if: oops is neither a parameter"),
    (A + "assert oops(a)", "Line 2, assert: .* cannot be called"),
    (A + "assert False", "Line 2: assert False does not hold"),
    (A + "assert (a > 0, 'why')", "a list always counts as true"),
    (A + "assert a in {1, 2}", r"a set \(write a list\)"),
    ("a, b = together([(1, 2), (3,)])", "row 2 has 1 values, row 1 has 2"),
    ("a, b = together([(1, 2, 3)])", "the rows have 3 values, and there are 2 names"),
    ("a, b = together(zip([1, 2, 3], [4, 5]))", "zip gets lists of 2 and 3 values"),
    ("a, b = [(1, 2)]", r"Several names take their values row by row: a, b = together\("),
    ("a = together([(1, 2)])", "gives values to several names"),
    ("a, b = together('ab')", "needs rows"),
    ("a = permutation([1, 2])", "an order of values is no axis: write choice"),
    ("a = permutations([1, 2, 3])", "an order of values is no axis: write choice"),
    (A + "b = 9**9**9", "Line 2, b: a number in it has too many digits"),
    (A + "b = a + 9**9**9", "Line 2, b: .*more than 300 digits"),
    (A + "b = [0] * 10**9", "Line 2, b: a text or a list in it is too long"),
    (A + "b = [a] * 10**9", "Line 2, b: .*only numbers can be computed with"),
    (A + "b = 'x' * 10**9", "Line 2, b: a text or a list in it is too long"),
    (A + "b = '%0999999999d' % 1", "Line 2, b: a text in it is too long"),
    (A + "b = '%0999999999d' % a", "Line 2, b: .*only numbers can be computed with"),
    (A + "b = f'{1:0999999999d}'", "Line 2, b: a text in it is too long"),
    (A + "b = f'{a:0999999999d}'", r"Line 2, b: .*an f-string \(join texts by \+\)"),
    (A + "b = '{:0999999999}'.format(a)", "Line 2, b: .*a method cannot be called"),
    (A + "b = a << 10**9", r"Line 2, b: .*only the operators \+ - "),
    (A + "b = 1 << 10**9", "Line 2, b: a number in it has too many digits"),
    (A + "b = " + "(" * 300 + "a" + ")" * 300, "too many nested parentheses"),
    (A + "b = " + "-" * 5000 + "a", "nested too deeply"),
    (A + "b = a" + " + a" * 3000, "nested too deeply"),
    (A + "assert " + "not " * 5000 + "a", "nested too deeply"),
    (A + DEEP, "more than 20 conditions stand in each other"),
    (A + "if a: b = 1\n" + "elif a: b = 1\n" * 50, "more than 20 conditions stand in each other"),
    (A + "assert a > 0\n" * 20_000, "more than 200 lines"),
    (A + "if a: b = 1\n" * 20_000, "given twice"),
    ("x" * 900_000 + " = 1", "a name has more than 200 characters"),
    (A + "b = '" + "x" * 900_000 + "'", "put it into a file"),
    (A + "b = a == '" + "x" * 900_000 + "'", "more than 10,000 characters"),
    ("a = [" + "1, " * 150_000 + "]", "at most 100,000 are allowed"),
    (", ".join(f"x{n}" for n in range(5_000)) + " = together([(1, 2)])", "there are 5000 names"),
    (A + "b = a.__class__", "an attribute"),
    (A + "b = [a][0]", "an item"),
    (A + "b = (c := a)", "`:=` cannot stand"),
    (A + "for i in a: b = i", "Line 2 is not an assignment"),
    (A + "import os", "Line 2 is not an assignment"),
    (A + "b += a", "Line 2 is not an assignment"),
    (A + "assert a > 1, 'text'", "Line 2: an assert has no message here"),
    (A + "if a > 1:\nb = 2", "Line 3 is not Python"),
    (A + "if a = 1: b = 2", "Line 2 is not Python"),
    (A + "b = uniform(0, a)", "the values of an axis cannot depend on a"),
    (A + "b = [a, 3]", "could be one value or several"),
    (A + "s = repeats(2)\nassert s > 0", "`s > 0` reads s, which repeats every point"),
    (A + "if a > 1: s = repeats(2)", "repeats.* cannot stand under a condition"),
    ("a = repeats(2)\nb = repeats(3)", "only one parameter can be the repeated seed"),
    ("", "The space is empty"),
    ("a = uniform(0, 1, step=0)", "the step must be above 0"),
    ("a = integer(5, 1)", "the lower end must be below the upper one"),
    ("a = ordinal()", "ordinal.* is empty"),
    ("a = 10**4001", "more than 4,000 digits"),
]


def of_a_command(text: str, folder: Path) -> Space:
    """Return the space of `-p` for each line, which is that of `--space FILE`."""
    words = space_text(None, tuple(text.split("\n")))
    (folder / "space.py").write_text(text)
    assert words == space_text(str(folder / "space.py"), ())
    return space_apart(words)


@pytest.mark.parametrize(("text", "names"), MEANT, ids=lambda value: str(value)[:40])
def test_an_odd_space_means_the_same_everywhere(
    tmp_path: Path, text: str, names: list[str]
) -> None:
    space = parse_space(text, {})
    assert list(space) == names
    assert repr(to_json(of_a_command(text, tmp_path))) == repr(to_json(space))


def test_a_file_may_come_from_any_editor(tmp_path: Path) -> None:
    path = tmp_path / "space.py"
    path.write_bytes(b"\xef\xbb\xbflr = [1, 2]\r\nif lr > 1:\r\n\tx = 3\r\n")
    assert list(space_apart(space_text(str(path), ("y = 2",)))) == ["lr", "x", "y"]


@pytest.mark.parametrize(("text", "words"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_is_refused_is_refused_in_the_same_sentence(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(SpaceError, match=words) as caught:
        parse_space(text, {})
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert len(sentence) < 300
    with pytest.raises(SpaceError) as caught:
        of_a_command(text, tmp_path)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"a": [1, 2], "b": None, "c": "x"}, "a = [1, 2]\nb = None\nc = 'x'"),
        ({"a": uniform(0, 1, step=0.5)}, "a = uniform(0, 1, step=0.5)"),
        ({"a": ordinal("s", "m")}, "a = ordinal('s', 'm')"),
        ({("a", "b"): together([(1, 2), (3, 4)])}, "a, b = together([(1, 2), (3, 4)])"),
        ({"a": fixed([1]), "s": repeats(2)}, "a = fixed([1])\ns = repeats(2)"),
        ({"a": choice([1, 2], [3])}, "a = choice([1, 2], [3])"),
        ({"a": integer(1, 9, step=2)}, "a = integer(1, 9, step=2)"),
        ({"größe": (1, 2)}, "größe = (1, 2)"),
    ],
)
def test_a_mapping_means_what_the_lines_mean(values: dict[Any, Any], text: str) -> None:
    assert to_json(space_of(values)) == to_json(parse_space(text))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, ""),
        ({"a": []}, "a = []"),
        ({"a": permutations([1, 2])}, "a = permutations([1, 2])"),
        ({("a", "b"): [(1, 2), (3,)]}, "a, b = together([(1, 2), (3,)])"),
        ({("a", "b"): [(1, 2, 3)]}, "a, b = together([(1, 2, 3)])"),
        ({("a", "b"): zip([1, 2], [3])}, "a, b = together(zip([1, 2], [3]))"),  # noqa: B905
        ({"a": together([(1, 2)])}, "a = together([(1, 2)])"),
        ({"a": repeats(2), "b": repeats(3)}, "a = repeats(2)\nb = repeats(3)"),
        ({"a": 10**4001}, "a = 10**4001"),
        ({"a": "x" * 900_000}, "a = '" + "x" * 900_000 + "'"),
        ({"a": range(10**12)}, "a = range(10**12)"),
        ({"a": {1: 2}}, "a = {1: 2}"),
    ],
)
def test_a_mapping_is_refused_in_the_sentence_of_the_lines(
    values: dict[Any, Any], text: str
) -> None:
    with pytest.raises(SpaceError) as caught:
        space_of(values)
    with pytest.raises(SpaceError) as of_lines:
        parse_space(text)
    assert str(of_lines.value).removeprefix("Line 1, ") == str(caught.value)


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("lr = [1, 2]\nassert lr > 9", {}, "No point of the grid meets `lr > 9`"),
        ("lr = uniform(0, 1)\nassert lr > 9", {"trials": 3}, "none meets `lr > 9`: loosen"),
        ("lr = [1, 2]\nx = 1 // (lr - 1)", {}, "divided by zero, where lr = 1"),
        ("lr = [1, 2]\nx = 'a' < lr", {}, "`<` cannot compare a text and a number"),
        ("lr = [1, 2]\nx = str", {}, "type cannot be a parameter"),
        ("lr = [1, 2]\nx = lr if lr > 1 else 'a'", {}, "x"),
        ("lr = [1, 2]\nx = lr if lr < 2 else 'a'", {}, "x"),
        ("lr = uniform(0, 1)\nx = lr if lr < 0.9 else 'a'", {"trials": 3}, "x"),
        ("lr = 1\nif lr > 1:\n  units = 3", {}, "units"),
        ("ﬁt = [1, 2]", {}, "fit"),
        ("lr = [1, 2]\nif lr > 1: x = 2\nassert x > 5", {}, "No point of the grid meets `x > 5`"),
    ],
)
def test_what_shows_only_with_the_notebook_is_said_before_a_job_is_sent(
    tmp_path: Path, text: str, options: dict[str, Any], words: str
) -> None:
    notebook = tmp_path / "train.ipynb"
    notebook.write_text(notebook_json("lr = 0.1\nx = 0", "acc = lr"))
    sentences = []
    variables: tuple[dict[str, Any] | None, ...] = ({}, None)  # of a cell, and of a command
    for names in variables:
        with pytest.raises(GridGpuError, match=words) as caught:
            plan(notebook, text, Options(maximize="acc", **options), names)
        sentences.append(str(caught.value))
    assert sentences[0] == sentences[1]
    assert "\n" not in sentences[0]
