"""The parameters cell is read as Python, and it is said where its values would do nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.errors import NotebookError, SpaceError
from jupyter_gridgpu.magics import _whole_line
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.planning.assignments import python_parameters
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.request import plan
from jupyter_gridgpu.testing.examples import notebook_json


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("width: int | None = 3", ["width"]),
        ("import typing\nwidths: typing.List[int] = [1]", ["widths"]),
        ("x: int", []),
        ("a = 1; b = 2", ["a", "b"]),
        ("a, (b, *c) = 1, (2, 3)", ["a", "b", "c"]),
        ("a = b = 1", ["a", "b"]),
        ("cut = 'pt >= 20'  # or eta = 2", ["cut"]),
        ("text = '''\nepochs = 3\n'''", ["text"]),
        ("opt = dict(beta=1,\n    gamma=2)", ["opt"]),
        ("def f():\n    inner = 1\nclass C:\n    field = 1", []),
        ("if True:\n    a = 1\nelse:\n    b = 2", ["a", "b"]),
        ("(n := 10)", ["n"]),
        ("a = 1\ndel a", []),
        ("%matplotlib inline\n!ls\nlr = 0.1", ["lr"]),
        ("%%time\nlr = 0.1", ["lr"]),
        ("    lr = 0.1\n    b = 1", ["lr", "b"]),
        ("n = " + "+".join("1" * 900), ["n"]),
    ],
)
def test_names_are_those_that_python_assigns(source: str, names: list[str]) -> None:
    assert list(python_parameters(source)) == names


def test_defaults_types_and_comments_are_kept() -> None:
    found = python_parameters('color: str = "#f00"  # of the plot\na, b = 1, [2]')
    assert (found["color"].default, found["color"].type) == ("#f00", "str")
    assert found["color"].comment == "of the plot"
    assert (found["a"].default, found["b"].default) == (1, [2])


NAMES = st.sampled_from(["a", "b", "c"])
LINES = st.one_of(
    st.builds("{} = 1".format, NAMES),
    st.builds("{} = {} = 'd = 1'".format, NAMES, NAMES),
    st.builds("{}, *{} = 1, 2".format, NAMES, NAMES),
    st.builds("{}: int = dict(d=1)".format, NAMES),
    st.builds("{}: int".format, NAMES),
    st.builds("if True:\n    {} = 1".format, NAMES),
    st.builds("def f():\n    {} = 1".format, NAMES),
)


@given(st.lists(LINES))
def test_what_is_found_is_what_python_binds(lines: list[str]) -> None:
    source = "\n".join(lines)
    bound: dict[str, object] = {}
    exec(source, bound)
    assert set(python_parameters(source)) == set(bound) & {"a", "b", "c", "d"}


def warnings_of(folder: Path, space: str, *cells: str) -> str:
    path = folder / "train.ipynb"
    path.write_text(notebook_json(*cells))
    return " ".join(plan(path, space, Options()).scan.warnings)


@pytest.mark.parametrize(
    "later",
    ["lr = 5", "for lr in [1]:\n    pass", "import os as lr", "def lr():\n    pass"],
)
def test_a_value_that_does_nothing_is_refused(tmp_path: Path, later: str) -> None:
    with pytest.raises(SpaceError, match=r"cell 2 sets lr again"):
        warnings_of(tmp_path, "lr = [1, 2]", "lr = 1", later)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (("lr = 1", "lr = lr * 2"), ""),
        (("lr = 1", "[0 for lr in [1]]\nprint(lr)"), ""),
        (("lr = 1", "print(lr)", "lr = 3"), "cell 3 sets lr again"),
        (("lr = 1", "if True:\n    lr = 3"), "cell 2 may set lr again"),
        (("lr = 1", "with open('x') as lr:\n    pass"), "cell 2 may set lr again"),
        (("lr = 1", "if lr > 1:\n    lr = 1"), ""),
        (("lr = 1", "%%timeit\nlr = 3", "print(lr)"), ""),
        (("lr = 1\nsteps = 320 // lr\nout = f'{steps}'", "print(out)"), "steps (line 2), out"),
    ],
)
def test_what_may_be_meant_is_a_warning(tmp_path: Path, cells: tuple[str, ...], words: str) -> None:
    found = warnings_of(tmp_path, "lr = [1, 2]", *cells)
    assert words in found
    assert bool(words) == bool(found)


def test_a_cell_that_papermill_left_is_passed_over_since_it_is_replaced(tmp_path: Path) -> None:
    body = json.loads(notebook_json("lr = 1", "lr = 7", "print(lr)"))
    body["cells"][1]["metadata"]["tags"] = ["injected-parameters"]
    path = tmp_path / "train.ipynb"
    path.write_text(json.dumps(body))
    assert plan(path, "lr = [1, 2]", Options()).scan.warnings == ()


def test_another_kernel_is_offered_and_can_be_chosen(tmp_path: Path) -> None:
    path = tmp_path / "train.ipynb"
    path.write_text(notebook_json("lr = 1", metadata={"kernelspec": {"name": "colleagues"}}))
    with pytest.raises(NotebookError, match="give --kernel NAME"):
        plan(path, "lr = 2", Options())
    scan = plan(path, "lr = 2", Options(kernel="python3")).scan
    assert scan.kernel == "python3"


def test_a_mark_at_the_beginning_is_not_copied(tmp_path: Path) -> None:
    path = tmp_path / "train.ipynb"
    path.write_text(notebook_json("lr = 1"), encoding="utf-8-sig")
    assert plan(path, "lr = 2", Options()).notebook.content.startswith(b"{")


@pytest.mark.parametrize(
    "space",
    ["lr = await f()", "lr = (yield)", "lr = (b := 1)", "lr = '\\ud83d'", "lr = {'\\ud83d': 1}"],
)
def test_what_is_no_value_is_refused_in_a_sentence(space: str) -> None:
    with pytest.raises(SpaceError, match=r"^Line 1, lr: .*\.$"):
        parse_space(space)


def test_an_indented_body_is_read() -> None:
    assert list(parse_space("    lr = 1\n    b = 2")) == ["lr", "b"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a.ipynb --trials 3  # a note", "a.ipynb --trials 3"),
        ("a#b.ipynb '# c'", "a#b.ipynb '# c'"),
        ("a.ipynb \\", "a.ipynb  --trials 3"),
    ],
)
def test_the_line_of_the_magic_may_go_on_and_have_a_note(line: str, words: str) -> None:
    assert _whole_line(line, "  --trials 3\nlr = 1")[0] == words
