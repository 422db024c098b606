"""Verdicts and exit codes of a comparison."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.scan import Origin
from jupyter_gridgpu.records.compare import Comparison, Tolerance, compare
from jupyter_gridgpu.records.input_differences import Difference, differences
from jupyter_gridgpu.testing.examples import notebook_json

from .kit import write_scan

NAN = math.nan
EXIT_CODES = {"reproduced": 0, "within tolerance": 0, "differs": 1, "incomplete": 3}


def verdict(a: dict[str, list[float]], b: dict[str, list[float]], **tolerance: float) -> str:
    comparison = compare(write_scan("a", {1: a}), write_scan("b", {1: b}), Tolerance(**tolerance))
    assert comparison.exit_code == EXIT_CODES[comparison.verdict]
    json.dumps(comparison.to_json(), allow_nan=False)
    return comparison.verdict


@pytest.mark.parametrize(
    ("a", "b", "tolerance", "expected"),
    [
        ([0.5, 0.9], [0.1, 0.9], {}, "reproduced"),
        ([0.9], [0.9001], {}, "within tolerance"),
        ([0.9], [0.9001], {"relative": 0.0}, "differs"),
        ([0.9], [0.95], {}, "differs"),
        ([0.9], [0.95], {"absolute": 0.06}, "within tolerance"),
        ([0.0], [1e-9], {}, "differs"),
        ([0.0], [1e-9], {"absolute": 1e-6}, "within tolerance"),
        ([NAN], [NAN], {}, "reproduced"),
        ([NAN], [0.9], {"relative": 1e9, "absolute": 1e9}, "differs"),
        ([math.inf], [math.inf], {}, "reproduced"),
        ([math.inf], [-math.inf], {"relative": 1e9}, "differs"),
        ([math.inf], [1e308], {"relative": 1e9, "absolute": 1e9}, "differs"),
        ([1e308], [-1e308], {}, "differs"),
    ],
)
def test_the_last_value_decides(
    a: list[float], b: list[float], tolerance: dict[str, float], expected: str
) -> None:
    assert verdict({"acc": a}, {"acc": b}, **tolerance) == expected


def test_a_metric_that_one_scan_has_not_is_incomplete() -> None:
    assert verdict({"acc": [1.0], "größe": [2.0]}, {"acc": [1.0]}) == "incomplete"
    assert verdict({"acc": [1.0], "größe": [2.0]}, {"acc": [0.1]}) == "differs"


def test_one_metric_alone_can_be_compared() -> None:
    a = write_scan("a", {1: {"acc": [1.0], "t": [3.0]}})
    b = write_scan("b", {1: {"acc": [1.0], "t": [9.0]}})
    assert compare(a, b).verdict == "differs"
    assert compare(a, b, metrics=["acc"]).verdict == "reproduced"
    with pytest.raises(UsageError, match="neither scan has it; there is acc, t"):
        compare(a, b, metrics=["loss"])


@pytest.mark.parametrize("value", [-1.0, NAN, math.inf])
def test_a_tolerance_is_a_number_from_zero(value: float) -> None:
    with pytest.raises(UsageError, match="relative tolerance"):
        Tolerance(relative=value)


def test_the_objective_is_reduced_as_the_first_scan_does_it() -> None:
    from jupyter_gridgpu.model.objective import Objective

    best = Objective("acc", "maximize", "max")
    a = write_scan("a", {1: {"acc": [0.9, 0.1]}}, objective=best)
    b = write_scan("b", {1: {"acc": [0.9, 0.5]}})
    assert compare(a, b).verdict == "reproduced"
    assert compare(b, a).verdict == "differs"


def test_the_spread_over_repeats_is_a_tolerance() -> None:
    space = "lr = [0.1]\nseed = repeats(3)"
    points = {number: {"lr": 0.1, "seed": number - 1} for number in (1, 2, 3)}

    def scan(name: str, values: list[float]) -> Any:
        jobs = {number: {"acc": [value]} for number, value in enumerate(values, 1)}
        return write_scan(name, jobs, params=points, space=space)

    a = scan("a", [1.0, 1.1, 1.2])
    within = compare(a, scan("b", [1.19, 1.1, 1.2]))
    assert within.verdict == "within tolerance"
    assert within.pairs[0].cells[0].spread == pytest.approx(0.1)
    assert compare(a, scan("c", [1.21, 1.1, 1.2])).verdict == "differs"
    assert (
        compare(a, scan("d", [1.21, 1.1, 1.2]), Tolerance(sigmas=3)).verdict == "within tolerance"
    )


def test_variants_of_unrelated_scans_are_paired_by_their_parameters() -> None:
    a = write_scan(
        "a", {1: {"acc": [1.0]}, 2: {"acc": [2.0]}}, params={1: {"lr": 0.1}, 2: {"lr": NAN}}
    )
    b = write_scan(
        "b", {1: {"acc": [2.0]}, 2: {"acc": [1.0]}}, params={1: {"lr": NAN}, 2: {"lr": 0.1}}
    )
    comparison = compare(a, b)
    assert [(pair.a, pair.b) for pair in comparison.pairs] == [
        ("v0001", "v0002"),
        ("v0002", "v0001"),
    ]
    assert comparison.verdict == "reproduced"
    assert compare(a, write_scan("c", {1: {"acc": [1.0]}})).verdict == "incomplete"


def test_a_replay_is_paired_by_id_and_of_its_origin_only_what_was_asked_for_counts() -> None:
    a = write_scan("a", {1: {"acc": [1.0]}, 2: {"acc": [2.0]}, 3: {"acc": [3.0]}})
    origin = Origin("variation", "id-a", "a", only="v0002", changes=("lr = 9 (was 0.2)",))
    b = write_scan("b", {2: {"acc": [2.0]}}, params={2: {"lr": 9}}, origin=origin, recorded=1)
    for comparison in (compare(a, b), compare(b, a)):
        assert [(pair.a, pair.b) for pair in comparison.pairs] == [("v0002", "v0002")]
        assert (comparison.verdict, comparison.kind) == ("reproduced", "variation")
        assert "b is a variation of a: lr = 9 (was 0.2)." in comparison.notes


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("KeyError: 'x' in cell 3.", "KeyError: 'x' in cell 3.", "reproduced"),
        ("KeyError: 'x' in cell 3.", "KeyError: 'y' in cell 3.", "incomplete"),
        ({"acc": [1.0]}, "KeyError: 'x' in cell 3.", "incomplete"),
        ({"acc": [1.0]}, {}, "incomplete"),
    ],
)
def test_what_did_not_end_well_in_both(a: Any, b: Any, expected: str) -> None:
    comparison = compare(write_scan("a", {1: a}), write_scan("b", {1: b}))
    assert comparison.verdict == expected


def test_a_scan_that_runs_still_is_incomplete_whatever_it_has_said() -> None:
    comparison = compare(write_scan("a"), write_scan("b", finished=False))
    assert comparison.verdict == "incomplete"
    assert comparison.notes == ["b has not ended yet."]
    assert compare(write_scan("c", {}), write_scan("d", {})).verdict == "incomplete"
    fewer = write_scan("e", {1: {"acc": [0.5, 0.9]}}, recorded=2, origin=Origin("replay", "id-a"))
    assert compare(write_scan("a2", id="id-a"), fewer).verdict == "incomplete"


# what went in -------------------------------------------------------------------------------


def inputs_by_name(comparison: Comparison) -> dict[str, Difference]:
    return {difference.what: difference for difference in comparison.inputs}


def test_what_went_in_is_told_apart() -> None:
    a = write_scan("a", space="lr = [0.1, 0.2]\nepochs = 20")
    about = {"gpus": ["T4", "T4"], "packages": {"numpy": "1.1", "keras": "3.0"}, "cpu": "Fast CPU"}
    b = write_scan("b", space="lr = [0.1, 0.2]\nepochs = 50", about=about)
    found = inputs_by_name(compare(a, b))
    assert (found["parameter epochs"].a, found["parameter epochs"].b) == ("20", "50")
    assert (found["package numpy"].a, found["package numpy"].b) == ("1.0", "1.1")
    assert found["package keras"].a == "none"
    assert (found["GPUs"].a, found["GPUs"].b) == ("A100", "T4, T4")
    assert set(found) == {"parameter epochs", "package numpy", "package keras", "GPUs"}


def test_cells_of_notebooks_are_compared_by_nbdime() -> None:
    a = write_scan("a", notebook_digest="one")
    b = write_scan(
        "b",
        notebook=notebook_json("lr = 0.1", "acc = 2 - lr # größe\x1b[31m"),
        notebook_digest="two",
    )
    text = inputs_by_name(compare(a, b))["notebook"].text
    assert "acc = 2 - lr # größe" in text
    assert "\x1b" not in text
    (b.paths.notebook).write_text("no notebook")
    assert "cannot be read any more" in inputs_by_name(compare(a, b))["notebook"].text
    b.paths.notebook.unlink()
    assert "cannot be read any more" in inputs_by_name(compare(a, b))["notebook"].text


def test_without_nbdime_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "nbdime", None)
    comparison = compare(
        write_scan("a", notebook_digest="one"), write_scan("b", notebook_digest="two")
    )
    assert "pip install 'jupyter_gridgpu[compare]'" in inputs_by_name(comparison)["notebook"].text


def test_jobs_that_left_no_provenance_differ_in_nothing() -> None:
    a, b = write_scan("a"), write_scan("b", about={"cpu": "Other"})
    for variant in a.variants:
        (a.paths.folder / (a.copy(variant) or "") / "provenance.json").unlink()
    assert compare(a, b).inputs == []


SPACE = "lr = [0.1, 0.2]\nif lr > 0.1:\n    seed = 1\nif lr > 0.1:\n    a, b = together([(1, 2)])"
LINES = [
    (SPACE, "", []),
    (f"{SPACE}\nassert lr < 1", "", [("constraint lr < 1", "there", "not there")]),
    (SPACE.replace("= 1", "= 2"), "", [("condition lr > 0.1", "'value': 2", "'value': 1")]),
    (SPACE.replace("(1, 2)", "(1, 3)"), "", [("condition lr > 0.1 (2)", "[1, 3]", "[1, 2]")]),
    ("lr = [0.1]\nseed = 1", "lr = [0.1]", [("parameter seed", "1", "the notebook's own")]),
    ("a, b = together([(1, 2)])", "lr = [0.1]", [
        ("rows of a, b", "rows [[1, 2]]", "not there"),
        ("parameter lr", "the notebook's own", "values [0.1]"),
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second", "expected"), LINES)
def test_lines_of_a_space_that_differ_are_named(
    first: str, second: str, expected: list[tuple[str, str, str]]
) -> None:
    one = write_scan("one", {1: {"acc": [1.0]}}, space=first)
    other = write_scan("other", {1: {"acc": [1.0]}}, space=second or SPACE)
    kinds = ("parameter", "condition", "constraint", "rows")
    found = [item for item in differences(one, other) if item.what.startswith(kinds)]
    assert [item.what for item in found] == [what for what, *_ in expected]
    for item, (_, a, b) in zip(found, expected, strict=True):
        assert a in item.a
        assert b in item.b
