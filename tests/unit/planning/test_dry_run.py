"""What `--dry-run` says of a scan."""

from __future__ import annotations

import pytest

from jupyter_gridgpu.model.environment import Environment
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.resources import Resources
from jupyter_gridgpu.model.scan import Origin, ScanSpec
from jupyter_gridgpu.planning.dry_run import axis_text, plan_json, plan_text


def spec(space: str, **more: object) -> ScanSpec:
    fields: dict[str, object] = {"sampler": "grid", "trials": None, **more}
    return ScanSpec(
        id="1",
        name="train",
        notebook="train.ipynb",
        kernel="python3",
        language="python",
        space=parse_space(space),
        seed=0,
        **fields,  # type: ignore[arg-type]
    )


def test_a_plan_is_told_in_a_few_lines() -> None:
    scan = spec(
        "lr = loguniform(1e-4, 1)\nseed = repeats(2)",
        sampler="tpe",
        trials=5,
        objectives=(Objective("acc", "maximize", "max"),),
    )
    assert plan_text(scan, {"lib": None}) == (
        "train.ipynb would run as 5 points x 2 repeats = 10 variants (sampler tpe) on this"
        " machine.\n"
        "  lr    numbers from 0.000100 to 1.00, evenly in the logarithm\n"
        "  seed  seeds 0 to 1: every point 2 times\n"
        "Best: maximize acc (max over epochs).\n"
        "With it go: lib.\n"
        "Nothing was started."
    )


def test_a_space_with_conditions_is_told_as_its_cell() -> None:
    scan = spec("a = [1, 2]\nif a > 1:\n    b = [3, 4]\nelse:\n    b = 5\nc = a + b\nassert c < 6")
    assert plan_text(scan, {}).splitlines() == [
        "train.ipynb would run as 1 variants (sampler grid) on this machine.",
        "  a = [1, 2]",
        "  if a > 1:",
        "      b = [3, 4]",
        "  else:",
        "      b = 5",
        "  c = a + b",
        "  assert c < 6",
        "The constraints leave 1 of 3 points.",
        "Nothing was started.",
    ]
    body = plan_json(scan)
    assert body["params"] == {
        "a": "one of 1, 2",
        "b": "one of 3, 4, or 5",
        "c": "follows from others",
    }
    assert body["space"].startswith("a = [1, 2]\nif a > 1:")
    assert "space" not in plan_json(spec("lr = 1"))


def test_what_else_was_asked_is_told() -> None:
    resources = Resources(gpus=1, walltime_s=7200, memory_mb=2048)
    scan = spec("lr = [1, 2]", backend="slurm", resources=resources, retries=1, max_failures=None)
    words = ["--gpus", "1", "--retries", "1", "--max-failures", "none"]
    words += ["--walltime", "2h", "--memory", "2GB"]
    assert f"\nOptions: {' '.join(words)}.\n" in plan_text(scan, {})
    assert plan_json(scan)["options"] == ["--on", "slurm", *words]
    assert plan_json(spec("lr = 1"))["options"] == ["--on", "local"]


def test_points_that_constraints_leave_are_counted() -> None:
    scan = spec("a = [1, 2, 3]\nif a > 1:\n    b = [1, 2]\n    assert a * b < 5\nassert a < 3")
    assert "The constraints leave 3 of 5 points." in plan_text(scan, {})
    body = plan_json(scan)
    assert (body["points"], body["points_without_constraints"]) == (3, 5)
    # Without the constraint, an expression has no value at some points.
    scan = spec("a = [0, 1]\nassert a > 0\nif 1 // a > 0:\n    b = [1, 2]")
    assert "constraints leave" not in plan_text(scan, {})
    lines = "".join(f"p{number} = integer(0, 10**6)\n" for number in range(4))
    assert "constraints leave" not in plan_text(spec(f"{lines}assert p0 + p1 + p2 < p3"), {})
    again = spec("a = [1, 2]\nassert a < 2", origin=Origin("replay", "id", "a", "f"), recorded=1)
    assert "constraints leave" not in plan_text(again, {})
    sampled = spec("a = [1, 2]\nassert a < 2", sampler="random", trials=2)
    assert "points" not in plan_json(sampled)


def test_a_variation_says_what_it_runs_again() -> None:
    origin = Origin("variation", "0", "old", changes=("epochs = 2 (was 1)",))
    scan = spec("lr = [1, 2]\nseed = repeats(2)", origin=origin, recorded=3, backend="auto")
    first = plan_text(scan, {}).splitlines()[0]
    assert first == (
        "train.ipynb would run as 3 variants (a variation of old: epochs = 2 (was 1)) on the best"
        " queue that fits."
    )
    assert plan_json(scan)["origin"]["changes"] == ("epochs = 2 (was 1)",)


def test_variables_and_secrets_are_told_by_name() -> None:
    environment = Environment(("A=hidden", "B=", "A=x"), ("KEY",))
    scan = spec("lr = 1", environment=environment)
    text = plan_text(scan, {})
    assert "Jobs get the variables A, B.\nJobs get the secrets KEY.\n" in text
    assert "hidden" not in text
    body = plan_json(scan)
    assert (body["env"], body["secrets"]) == (["A", "B"], ["KEY"])


def test_a_queue_that_was_chosen_is_told() -> None:
    assert "queue" not in plan_json(spec("lr = 1"))
    body = plan_json(spec("lr = 1", choice="It runs in gpu."))
    assert (body["queue"], body["choice"]) == (None, "It runs in gpu.")


@pytest.mark.parametrize(
    ("axis", "words"),
    [
        ("'a'", "'a'"),
        ("[1, 0.00012345]", "one of 1, 0.0001234"),
        ("list(range(10))", "one of 0, 1, 2, 3, 4, 5, 6, 7, … (10 values)"),
        ("integer(1, 9)", "whole numbers from 1 to 9"),
        ("uniform(0, 0.5)", "numbers from 0 to 0.500"),
        ("uniform(0, 1, step=0.25)", "numbers from 0 to 1.00 in steps of 0.250"),
    ],
)
def test_an_axis_is_told_in_words(axis: str, words: str) -> None:
    assert axis_text(parse_space(f"x = {axis}").axes["x"]) == words
