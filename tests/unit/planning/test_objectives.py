"""Several objectives as options: on a line, in a cell and in Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.backends.base import job_spec
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.scan import fingerprint
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.dry_run import plan_text
from jupyter_gridgpu.planning.option_values import read_objectives
from jupyter_gridgpu.planning.options import read_options_line, to_options, words_for
from jupyter_gridgpu.planning.request import plan
from jupyter_gridgpu.testing.examples import notebook_json

A, B = Objective("a", "maximize"), Objective("b", "minimize", "max")


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    path = tmp_path / "train.ipynb"
    path.write_text(notebook_json("lr = 0.1\nn = 1", "a = lr"))
    return path


@pytest.mark.parametrize(
    ("maximize", "minimize", "wanted"),
    [
        (None, None, ()),
        ("", (), ()),
        ("a", None, (A,)),
        (("a",), None, (A,)),
        (["a"], [], (A,)),
        ("a", "max(b)", (A, B)),
        ((), ["max(b)"], (B,)),
        (["a", "c"], "max(b)", (A, Objective("c", "maximize"), B)),
        ([f"m{number}" for number in range(8)], None, None),
    ],
)
def test_one_text_or_several_are_objectives(maximize: Any, minimize: Any, wanted: Any) -> None:
    found = read_objectives(Options(maximize=maximize, minimize=minimize))
    assert len(found) == 8 if wanted is None else found == wanted


@pytest.mark.parametrize(
    ("maximize", "minimize", "words"),
    [
        ("a", "a", "--minimize a: this metric is an objective already"),
        (("a", "max(a)"), None, r"--maximize max\(a\): this metric is an objective already"),
        (("a", "a"), None, "give each metric once, in one direction"),
        (("a", " "), None, "is no objective"),
        (("a", "mean(b)"), None, r"'mean\(b\)' is no objective"),
        ([f"m{number}" for number in range(9)], None, "9 objectives; a scan may have 8"),
        ([f"m{number}" for number in range(5)], [f"n{i}" for i in range(4)], "9 objectives"),
        (["a", 7], None, "maximize is .*: give a metric's name, or a list of names"),
        (7, None, "give a metric's name, or a list of names"),
        ({"a": "b"}, None, "give a metric's name, or a list of names"),
    ],
)
def test_what_cannot_be_several_objectives_is_refused(
    maximize: Any, minimize: Any, words: str
) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        read_objectives(Options(maximize=maximize, minimize=minimize))
    assert "\n" not in str(caught.value)
    assert "None" not in str(caught.value)


def test_a_line_may_repeat_both_options_and_is_written_again() -> None:
    words = ["--maximize", "a", "--maximize", "max(c d)", "--minimize", "b"]
    values = read_options_line(["train.ipynb", *words])
    found = read_objectives(to_options(values))
    assert [objective.text for objective in found] == [
        "maximize a",
        "maximize max(c d)",
        "minimize b",
    ]
    assert words_for(values) == words


def test_a_request_keeps_its_objectives(notebook: Path) -> None:
    several = plan(notebook, "lr = [1, 2]", Options(maximize=("a",), minimize="max(b)")).scan
    assert (several.objectives, several.objective) == ((A, B), None)
    assert "Pareto front: maximize a, minimize b (max over epochs)." in plan_text(several, [])
    assert job_spec(several, "v0001.1", {})["objectives"] == ["a", "b"]
    given: list[Any] = ["a", ["a"], ("a",)]
    one, same, third = (
        plan(notebook, "lr = [1, 2]", Options(maximize=each)).scan for each in given
    )
    assert fingerprint(third) == fingerprint(one)
    assert fingerprint(one) == fingerprint(same) != fingerprint(several)
    swapped = plan(notebook, "lr = [1, 2]", Options(maximize=("a",), minimize="b")).scan
    assert fingerprint(swapped) != fingerprint(several)


@pytest.mark.parametrize("sampler", ["random", "sobol", "tpe", "nsgaii"])
def test_these_samplers_take_several(notebook: Path, sampler: str) -> None:
    options = Options(maximize=("a", "b"), trials=3, sampler=sampler)
    assert plan(notebook, "lr = uniform(0, 1)", options).scan.sampler == sampler


def test_tpe_is_the_default_and_cmaes_refuses_several(notebook: Path) -> None:
    options = Options(maximize=("a", "b"), trials=3)
    assert plan(notebook, "lr = uniform(0, 1)", options).scan.sampler == "tpe"
    with pytest.raises(UsageError, match="--sampler cmaes takes one objective"):
        plan(
            notebook,
            "lr = uniform(0, 1)",
            Options(maximize=("a", "b"), trials=3, sampler="cmaes"),
        )


def test_nsgaii_says_what_it_does_not_learn(notebook: Path) -> None:
    body = "lr = uniform(0, 1)\nif lr > 0.5:\n    n = integer(1, 9)"
    for sampler, said in (("nsgaii", True), ("tpe", False)):
        options = Options(maximize=("a", "b"), trials=3, sampler=sampler)
        warnings = plan(notebook, body, options).scan.warnings
        assert any("nsgaii draws parameters" in text for text in warnings) is said
