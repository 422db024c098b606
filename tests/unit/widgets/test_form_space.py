"""Conditions, constraints, rows and derived values in the form."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_gridgpu.model.form_cell import ParameterEntry, ParameterFacts
from jupyter_gridgpu.model.form_reading import rows_of
from jupyter_gridgpu.model.form_rows import cell_rows, cell_text, read_rows, row_json
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.space import Space
from jupyter_gridgpu.model.space_cell import cell_body
from jupyter_gridgpu.model.typed_values import NUMBER
from jupyter_gridgpu.planning import scan_file
from jupyter_gridgpu.planning.options import read_options_line, to_options
from jupyter_gridgpu.planning.request import plan
from jupyter_gridgpu.testing.examples import notebook_json
from jupyter_gridgpu.widgets.form import ScanForm
from tests.random_spaces import CONTINUOUS, DEFAULTS, DISCRETE, NAMES, statements
from tests.unit.widgets.test_form import TEXTS, Driver

PARAMETERS = """\
optimizer = "adam"
momentum = 0.9
nesterov = False
units = 64
layers = 4
batch = 256
batch_per_step = 64
widths = [64, 64]
seed = 1
"""
USED = "print(optimizer, momentum, nesterov, units, layers, batch, batch_per_step, widths, seed)"
EXAMPLE = """\
optimizer = ["adam", "sgd"]
if optimizer == "sgd":
    momentum = uniform(0.5, 0.9, step=0.4)
    nesterov = [True, False]
else:
    momentum = 0
units, layers = together([(64, 4), (128, 3), (256, 2)])
batch         = [256, 1000]
assert units * layers <= 400
batch_per_step = batch // 4
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("form") / "train.ipynb"
    where.write_text(notebook_json(PARAMETERS, USED))
    return where


class Opened(Driver):
    """A form that is opened on the lines of a cell."""

    def __init__(
        self, path: Path, body: str, names: dict[str, Any] | None = None, **values: Any
    ) -> None:
        super().__init__(path, names, **values)
        form = ScanForm(path, values, names, body)
        form.send = self.form.send
        self.form, self.state = form, form.state

    def row(self, **wanted: Any) -> dict[str, Any]:
        """Return the first row with these values."""
        rows: list[dict[str, Any]] = self.state["parameters"]
        return next(row for row in rows if wanted.items() <= row.items())


def test_the_form_shows_what_a_cell_has_and_writes_it_again(path: Path) -> None:
    form = Opened(path, EXAMPLE)
    answer = form.check()
    assert (answer["errors"], answer["warnings"], form.body()) == ([], [], EXAMPLE.strip())
    # adam with one momentum, sgd with two and nesterov or not; two rows meet 400; two batches.
    assert (answer["variants"], answer["points"]["unconstrained"]) == (20, 30)
    assert answer["points"]["factors"] == [20]
    assert answer["words"]["batch_per_step"] == "follows from batch"
    kinds = [row["row"] for row in form.state["parameters"] if row["row"] != "parameter"]
    assert kinds == ["if", "else", "together", "assert"]
    levels = [row["level"] for row in form.state["parameters"] if row["level"]]
    assert levels == [1, 1, 1]
    idents = [row["id"] for row in form.state["parameters"]]
    assert len(set(idents)) == len(idents)
    assert answer["lines"] == [ident for ident in idents if ident not in ("widths", "seed")]


@pytest.mark.parametrize(
    ("lines", "written"),
    [
        ("units = integer(8, 64, step=8)", None),
        ("momentum = loguniform(1e-3, 1)", None),
        ("momentum = linspace(0, 1, 5)", None),
        ("units = choice(64, 128)", "units = [64, 128]"),
        ('optimizer = ordinal("adam", "sgd")', 'optimizer = ordinal(["adam", "sgd"])'),
        ("seed = repeats(3)", None),
        ("units = 64", None),  # the notebook's own value, which the cell gives nevertheless
        ("widths = fixed([1, 2])", None),
        ("widths = choice([1, 2], [3])", None),
        ("units = 64  # as in the paper", None),
        ("# first\nunits = [1, 2]\n# last", None),
        ("units: int = 3", "units = 3"),
        ("units = [base, 2 * base]", None),
        ("units = list(range(64, 256, 64))", None),
        ("units = [2**k for k in range(3)]  # powers", None),
        ("units = (\n    1,\n    2,\n)", "units = [1, 2]"),
        ("units = values", None),
        ("units, layers = together(zip([1, 2], [3, 4]))", None),
        ("units, layers = together([(1, 2), (base, 4)])", None),
        ("if limits['units'] > 3:\n    units = [1, 2]\nelse:\n    units = 3", None),
        ("if quick:\n    units = 3\nelif not quick and base > 3:\n    units = [1, 2]", None),
        ("units = [1, 2]\nif units > 1:\n    # deep\n    layers = 3", None),
        ("units = [1, 2]\nif units > 1:  # some\n    layers = units * base", None),
        ("  units = [1, 2]\n  layers = 3", "units  = [1, 2]\nlayers = 3"),
    ],
)
def test_every_line_is_kept_as_it_is_or_in_other_words(
    path: Path, lines: str, written: str | None
) -> None:
    names = {"base": 4, "values": [3, 4], "limits": {"units": 5}, "quick": True}
    form = Opened(path, lines, names)
    answer = form.check()
    # A continuous range needs an objective, for the sampler that is chosen for it.
    assert {error["field"] for error in answer["errors"]} <= {"--maximize"}
    assert form.body() == (written or lines)
    assert not answer["unchecked"]
    assert parse_space(form.body(), names) == parse_space(lines, names)
    if answer["variants"] is not None:
        made = plan(path, lines, to_options(read_options_line([str(path)])), names)
        assert answer["variants"] == made.scan.total()


def test_lines_that_only_the_cell_can_compute_can_be_started(path: Path) -> None:
    form = Opened(path, "units = [1, 2]\nlayers = min(units, len([1]))\nbatch = [1, 2]")
    answer = form.check()
    assert (answer["errors"], answer["unchecked"]) == ([], True)
    assert "layers = min(units, len([1]))" in form.body()


def test_a_form_never_runs_what_is_typed_into_it(path: Path) -> None:
    ran: list[int] = []

    class Loud:
        def __eq__(self, other: object) -> bool:
            ran.append(1)
            return True

        __hash__ = None  # type: ignore[assignment]

    names = {"run": lambda: ran.append(1), "loud": Loud(), "max": lambda *a: ran.append(1)}
    form = Opened(path, EXAMPLE, names)
    for text in ("run()", "run() or units", "loud == 3", "units == loud", "max(units, 3)",
                 "[run() for _ in (1,)]", "units.real", "(lambda: run())()"):  # fmt: skip
        form.row(row="if")["text"] = text
        form.row(name="batch_per_step")["value"] = text
        assert form.check()["errors"], text
    form.state["parameters"].append({"row": "text", "text": "seed = run()"})
    form.check()
    assert ran == []


@pytest.mark.parametrize("text", ["9**9**9", "units * 9**9**9", "batch**batch**batch", "[0]*10**9"])
def test_what_would_take_for_ever_is_refused_at_its_row(path: Path, text: str) -> None:
    form = Opened(path, "batch = 256\nbatch_per_step = 1\nunits = [1, 2]\nassert units > 1")
    form.row(row="assert")["text"] = f"{text} > units"
    form.row(name="batch_per_step")["value"] = text
    fields = {field for field, _, _ in form.errors()}
    assert form.row(row="assert")["id"] in fields


@pytest.mark.parametrize(
    ("row", "text", "part", "words", "suggestion"),
    [
        ("if", "", "text", "Give a condition", None),
        ("if", 'optimizer = "sgd"', "text", "Not an expression", 'optimizer == "sgd"'),
        ("if", "optimizer == sgd", "text", "sgd is neither", 'optimizer == "sgd"'),
        ("if", "optimiser == 'sgd'", "text", "optimiser is neither", "optimizer == 'sgd'"),
        ("if", "batch > 3", "", "batch is given only in line", None),
        ("if", "optimizer > 3", "", "cannot compare", None),
        ("assert", "units * layers <= 4", "", "No point of the grid meets", None),
        ("assert", "units <= && 3", "text", "Not an expression", None),
        ("assert", "units < 90 && layers < 9", "text", "Not an", "units < 90 and layers < 9"),
        ("assert", "seed > 1", "", "seed", None),
    ],
)
def test_what_is_wrong_is_told_at_its_row(
    path: Path, row: str, text: str, part: str, words: str, suggestion: str | None
) -> None:
    form = Opened(path, EXAMPLE + "seed = repeats(2)")
    wrong = form.row(row=row)
    wrong["text"] = text
    (error,) = form.check()["errors"]
    assert error["field"] == wrong["id"]
    assert (error["part"], error["suggestion"]) == (part, suggestion)
    assert words in error["text"]
    assert not error["text"].startswith("Line")


def test_the_rest_is_counted_without_what_is_wrong_and_what_reads_it(path: Path) -> None:
    form = Opened(path, EXAMPLE)
    form.row(name="batch")["items"] = "256, x"
    answer = form.check()
    assert [error["field"] for error in answer["errors"]] == ["batch"]
    assert answer["variants"] == 10
    form.row(row="if")["text"] = "optimizer =="
    assert form.check()["variants"] == 4
    form.row(row="together")["cells"][1][0] = "many"
    errors = {error["field"]: error["part"] for error in form.check()["errors"]}
    assert errors[form.row(row="together")["id"]] == "1,0"


def test_a_value_that_is_kept_is_written_where_another_reads_it(path: Path) -> None:
    form = Driver(path)
    form.set("batch_per_step", "fixed", value="batch // 8").set("units", "list", items="1, 2")
    assert form.check()["errors"] == []
    assert "batch          = 256\nbatch_per_step = batch // 8" in form.body()
    assert form.check()["variants"] == 2


def plain(lines: str) -> str:
    return re.sub(" +=", " =", lines)


@given(statements(axes=DISCRETE | CONTINUOUS))
def test_the_rows_of_any_space_are_written_as_the_space_itself(made: list[Any]) -> None:
    body = cell_body(Space.of(made))
    # Halves, which no space has: so a value is never the notebook's own one.
    facts = {name: ParameterFacts(NUMBER, False, f"{DEFAULTS[name]}.5") for name in NAMES}
    whole = {name: replace(about, whole=True) for name, about in facts.items()}
    for known in (facts, whole):
        rows = rows_of(body, known, ParameterEntry)
        # The `=` are aligned as far as the form has fields: lines kept as they are stand alone.
        assert plain(cell_text(cell_rows(rows, known))) == plain(body)
        bodies = [json.loads(json.dumps(row_json(row))) for row in rows]
        assert read_rows(bodies, known) == rows


FORMULAS = st.sampled_from(
    ["units > 64", 'optimizer == "sgd"', "units * layers <= 400", "units", "batch // 4", "x", "",
     "seed > 1", "units = 3", "True", "not nesterov", "quick", "momentum < 0.5 and units > 64"]
)  # fmt: skip


@st.composite
def rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw rows as a browser may send them, sound or not."""
    found: list[dict[str, Any]] = []
    names = [line.split(" ")[0] for line in PARAMETERS.strip().split("\n")]
    for number in range(draw(st.integers(1, 9))):
        kind = draw(
            st.sampled_from(["parameter"] * 5 + ["if", "elif", "else", "assert", "together"])
        )
        row: dict[str, Any] = {"id": f"r{number}", "row": kind, "level": draw(st.integers(0, 3))}
        row["text"] = draw(FORMULAS)
        row["note"] = draw(st.sampled_from(["", "why", "# \n x"]))
        row["name"] = draw(st.sampled_from(names))
        row["kind"] = draw(st.sampled_from(["fixed", "list", "range", "repeats"]))
        for part in ("value", "items", "low", "high", "points", "step", "times"):
            row[part] = draw(TEXTS | FORMULAS)
        for part in ("stepped", "by_step", "log", "ordered", "written"):
            row[part] = draw(st.booleans())
        row["names"] = draw(st.lists(st.sampled_from(names), max_size=3))
        row["cells"] = draw(st.lists(st.lists(TEXTS, max_size=3), max_size=3))
        found.append(row)
    return found


@settings(max_examples=50)
@given(rows())
def test_a_cell_of_any_rows_is_the_plan_that_the_form_tells_of(
    path: Path, listed: list[dict[str, Any]]
) -> None:
    variables = {"base": 4, "quick": True}
    form = Driver(path, variables)
    form.state["parameters"] = listed
    answer = form.check()
    body = answer["cell"].partition("\n")[2]
    assert len(answer["lines"]) == (len(body.split("\n")) if body else 0)
    if answer["errors"]:
        assert all(error["text"].endswith((".", "?", ")", "`")) for error in answer["errors"])
        idents = {row["id"] for row in listed}
        known = all(error["field"] in idents | {"", "--sampler", "--trials"}
                    or error["field"].startswith("--") for error in answer["errors"])  # fmt: skip
        assert known
    elif answer["variants"] is not None:
        options = to_options(read_options_line([str(path)]))
        made = plan(path, body, options, variables)
        assert made.scan.total() == answer["variants"]


def test_the_form_saves_its_scan_as_a_file(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    form = Opened(path, EXAMPLE, maximize=("a",), minimize=("b",))
    message = {"type": "save", "state": form.state, "path": "scan.yaml", "id": "s"}

    def ask(**more: Any) -> dict[str, Any]:
        form.form._on_message(form.form, {**message, **more}, [])
        return form.sent.pop()

    assert ask() == {"type": "saved", "saved": True, "text": "Saved: scan.yaml", "id": "s"}
    file = scan_file.read("scan.yaml")
    assert file.space.statements == parse_space(EXAMPLE).statements
    made = file.plan({})
    assert [objective.metric for objective in made.scan.objectives] == ["a", "b"]
    form.row(name="batch")["items"] = "256"
    assert not ask()["saved"]
    assert "another scan" in ask()["text"]
    assert ask(overwrite=True)["saved"]
    form.row(name="batch")["items"] = "x"
    assert ask()["text"].startswith("Correct the values first")
    for odd in (3, None, ["a"]):
        form.form._on_message(form.form, {**message, "path": odd, "state": form.state}, [])
        assert not form.sent.pop()["saved"]


def test_a_parameter_that_the_notebook_lost_leaves_its_column(path: Path) -> None:
    form = Driver(path)
    row = {"row": "together", "id": "r", "names": ["units", "gone", "layers"], "level": 0}
    form.state["parameters"] = [{**row, "cells": [["64", "x", "4"], ["128", "x", "3"]]}]
    assert form.body() == "units, layers = together([(64, 4), (128, 3)])"
    assert form.errors() == []
