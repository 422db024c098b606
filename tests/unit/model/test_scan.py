from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.errors import StorageError, UsageError
from jupyter_gridgpu.model.environment import Environment
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.objective import Objective, parse_objective
from jupyter_gridgpu.model.resources import Container, Placement, Resources
from jupyter_gridgpu.model.scan import (
    DEFAULTS_BYTES,
    EarlierScan,
    Origin,
    fingerprint,
    plain_defaults,
    to_json,
)
from jupyter_gridgpu.model.scan_record import from_json
from jupyter_gridgpu.testing.examples import small_scan
from tests import old_scans


@pytest.mark.parametrize(
    ("text", "metric", "reduction"),
    [
        ("acc", "acc", "last"),
        ("max(acc)", "acc", "max"),
        (" min ( val loss ) ", "val loss", "min"),
        ("last(a/b)", "a/b", "last"),
    ],
)
def test_an_objective_names_a_metric_and_a_reduction(
    text: str, metric: str, reduction: str
) -> None:
    assert parse_objective(text, "maximize") == Objective(metric, "maximize", reduction)


@pytest.mark.parametrize(
    "text", ["", "  ", "max()", "mean(acc)", "max(acc", "acc)", "max(min(acc))"]
)
def test_what_is_no_objective_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--minimize"):
        parse_objective(text, "minimize")


VALUES = st.none() | st.floats()


@given(VALUES, VALUES)
def test_of_two_values_at_most_one_is_better(a: float | None, b: float | None) -> None:
    for direction in ("maximize", "minimize"):
        assert not (
            Objective("x", direction).better(a, b) and Objective("x", direction).better(b, a)
        )


@given(VALUES)
def test_nothing_and_nan_are_never_better(value: float | None) -> None:
    assert not Objective("x", "maximize").better(None, value)
    assert not Objective("x", "minimize").better(math.nan, value)


def test_the_direction_decides() -> None:
    assert Objective("x", "maximize").better(2, 1)
    assert Objective("x", "minimize").better(1, 2)
    assert Objective("x", "minimize").better(1, math.nan)


TWO = (Objective("acc", "maximize", "max"), Objective("loss", "minimize"))
AS_JSON = [
    {"metric": "acc", "direction": "maximize", "reduction": "max"},
    {"metric": "loss", "direction": "minimize", "reduction": "last"},
]
FULL = small_scan(
    "lr = loguniform(1e-5, 1e-2)\nunits = [64, 'NaN']\nlayers = fixed([1, None])\n"
    "seed = repeats(3)",
    sampler="tpe",
    trials=5,
    objective=Objective("acc", "minimize", "max"),
    parallel=2,
    retries=1,
    resources=Resources(
        1, 4000, 60, gpu_model="A100", vram_mb=40960, cuda="12.0", cpus=4, disk_mb=100
    ),
    container=Container("docker://a/b", "sha256:c", "podman", ("/data",)),
    per_job=4,
    prefork=False,
    placement=Placement(
        "gpu", "atlas", "high", "a100", shared=False, options=("--x",), shared_paths=("/eos",)
    ),
    environment=Environment(("A", "B=1"), ("KEY",), ("module load cuda",), "python3.11"),
    profile="lab",
    own_points=2,
    warm_start=(EarlierScan("id-a", "a", 7), EarlierScan("id-b", "b", 1)),
    files=("a.py", "b"),
    notebook_digest="d",
    files_digest="e",
    defaults={"lr": 0.1, "layers": [1, None], "word": "NaN"},
)


@pytest.mark.parametrize(
    "scan",
    [
        small_scan(),
        FULL,
        small_scan(objective=None),
        small_scan(objectives=TWO),
        small_scan("x = fixed(float('inf'))"),
    ],
)
def test_a_scan_survives_scan_json(scan: Any) -> None:
    assert from_json(json.loads(json.dumps(to_json(scan), allow_nan=False))) == scan


LATER = (
    "per_job",
    "prefork",
    "container",
    "placement",
    "asked",
    "asked_model",
    "choice",
    "metrics",
    "channel",
    "warnings",
    "max_failures",
    "environment",
    "profile",
    "own_points",
    "warm_start",
)


def test_a_scan_of_an_earlier_version_is_read_and_is_the_same_request() -> None:
    body = to_json(small_scan())
    for name in LATER:
        del body[name]
    body["resources"] = {
        name: body["resources"][name] for name in ("gpus", "memory_mb", "walltime_s")
    }
    assert from_json(body) == small_scan()
    assert (
        fingerprint(small_scan())
        == "4b0f0f662e51a7ebe20fc6e8de0ccd5528bc7deac49f779a3cbbf3203acacace"
    )


@pytest.mark.parametrize(
    "body",
    [
        [],
        [AS_JSON[0]],
        [AS_JSON[0], AS_JSON[0]],
        [{**AS_JSON[0], "metric": f"m{number}"} for number in range(9)],
        [AS_JSON[0], {**AS_JSON[1], "direction": "upwards"}],
        [AS_JSON[0], {**AS_JSON[1], "reduction": "mean"}],
        [AS_JSON[0], {**AS_JSON[1], "metric": ""}],
        [AS_JSON[0], "loss"],
        {"a": AS_JSON[0], "b": AS_JSON[1]},
        7,
    ],
)
def test_objectives_that_no_request_can_have_are_damage(body: object) -> None:
    with pytest.raises(StorageError, match="objectives"):
        from_json({**to_json(small_scan(objectives=TWO)), "objectives": body})


def test_one_objective_has_the_key_that_it_always_had() -> None:
    one, two = to_json(small_scan()), to_json(small_scan(objectives=TWO))
    assert one["objective"] == {"metric": "acc", "direction": "maximize", "reduction": "last"}
    assert "objectives" not in one
    assert (two["objective"], two["objectives"]) == (None, AS_JSON)
    with pytest.raises(StorageError, match="beside no `objective`"):
        from_json({**two, "objective": one["objective"]})


@pytest.mark.parametrize("name", sorted(set(to_json(FULL)) - {"defaults"}))
@pytest.mark.parametrize("damage", ["missing", "wrong"])
def test_a_damaged_scan_json_is_a_storage_error(name: str, damage: str) -> None:
    body = to_json(FULL)
    if damage == "missing" and name not in LATER:
        del body[name]
    elif damage == "wrong" and (isinstance(body[name], (dict, list, tuple)) or name == "format"):
        body[name] = 17
    else:
        return
    with pytest.raises(StorageError):
        from_json(body)


def test_the_same_request_has_the_same_fingerprint_whatever_its_identity() -> None:
    assert fingerprint(
        replace(FULL, id="other", name="other", created=9.0, defaults={})
    ) == fingerprint(FULL)


@pytest.mark.parametrize(
    "changes",
    [
        {"space": parse_space("lr = loguniform(1e-5, 1e-3)")},
        {"trials": 6},
        {"seed": 1},
        {"sampler": "random"},
        {"objectives": ()},
        {"objectives": (*FULL.objectives, Objective("loss", "minimize"))},
        {"backend": "slurm"},
        {"notebook_digest": "other"},
        {"files_digest": "other"},
        {"resources": Resources(1, 4000, 61)},
        {"resources": replace(FULL.resources, vram_mb=None)},
        {"container": Container("docker://a/c")},
        {"placement": Placement("gpu")},
        {"per_job": 1},
        {"prefork": True},
        {"own_points": 3},
        {"warm_start": ()},
        {"warm_start": (EarlierScan("id-a", "a", 7),)},
        {"recorded_digest": "e"},
    ],
)
def test_another_request_has_another_fingerprint(changes: dict[str, Any]) -> None:
    assert fingerprint(replace(FULL, **changes)) != fingerprint(FULL)


def test_what_auto_chose_is_kept_and_is_no_part_of_the_request() -> None:
    asked = small_scan(backend="auto", placement=Placement(account="atlas"))
    here, there = (
        small_scan(
            backend=backend,
            placement=Placement(queue, "atlas"),
            resources=Resources(gpu_model=model),
            asked=asked.placement,
            choice=f"Chosen: {queue}.",
        )
        for backend, queue, model in (("local", None, None), ("slurm", "gpu", "A100"))
    )
    assert from_json(json.loads(json.dumps(to_json(there)))) == there
    assert fingerprint(here) == fingerprint(there) == fingerprint(asked)
    assert fingerprint(here) != fingerprint(small_scan(backend="auto"))


def test_the_order_of_parameters_makes_another_request() -> None:
    assert fingerprint(small_scan("a = [1, 2]\nb = [3, 4]")) != fingerprint(
        small_scan("b = [3, 4]\na = [1, 2]")
    )


def test_a_total_counts_points_times_repeats() -> None:
    assert FULL.total() == 15
    assert small_scan("a = [1, 2, 3]\nb = integer(1, 4)\nseed = repeats(2)").total() == 24
    assert small_scan("a = 1").total() == 1


@pytest.mark.parametrize("body", [None, 17, [1], "missing"])
def test_a_scan_without_sound_defaults_is_read_and_has_none(body: Any) -> None:
    spec = {**to_json(FULL), "defaults": body}
    if body == "missing":
        del spec["defaults"]
    assert from_json(spec).defaults == {}


def test_only_plain_defaults_are_kept_and_only_so_much_of_them() -> None:
    found = plain_defaults(
        {
            "a": (1, 2),
            "b": {3},
            "c": object(),
            "d": 0x10**8000,
            "e": "x" * DEFAULTS_BYTES,
            "f": math.inf,
        }
    )
    assert found == {"a": [1, 2], "f": math.inf}
    many = plain_defaults({f"p{n}": "x" * 900 for n in range(100)})
    assert 15 < len(many) < 25
    assert len(json.dumps(many)) <= DEFAULTS_BYTES + 100


def test_a_scan_of_the_first_format_is_read_and_found_by_the_same_cell() -> None:
    old = {
        name: value
        for name, value in to_json(FULL).items()
        if name not in ("recorded", "recorded_digest", "origin")
    }
    assert from_json({**old, "format": 1}) == FULL
    again = from_json(
        json.loads((Path(__file__).parents[2] / "data/format1/scan.json").read_text())
    )
    assert (again.recorded, again.origin) == (0, None)
    assert fingerprint(again) == "690d8a5bb90274b2bb1a21fe43ff517285ac3bae406af0b64ec7d09938d37027"


@pytest.mark.parametrize("name", old_scans.NAMES)
def test_a_scan_of_the_second_format_is_read_and_found_by_the_same_cell(name: str) -> None:
    body = json.loads((old_scans.FORMAT2 / name / "scan.json").read_text())
    made = from_json(body)
    assert fingerprint(made) == body["fingerprint"]
    written = to_json(made)
    # Later versions brought these.
    assert written["resources"].pop("grace_s") is None
    for later in ("options", "shared_paths"):
        assert not written["placement"].pop(later)
    assert {field: written[field] for field in body if field in written} == {
        field: value for field, value in body.items() if field not in ("fingerprint", "asked_name")
    }


def test_a_replay_is_no_scan_of_its_origins_cell() -> None:
    again = replace(
        FULL,
        own_points=0,
        recorded=3,
        recorded_digest="d",
        origin=Origin("variation", "id", changes=("lr = 1 (was 2)",)),
    )
    assert from_json(json.loads(json.dumps(to_json(again)))) == again
    assert again.total() == 3
    assert (
        len({fingerprint(scan) for scan in (FULL, again, replace(again, recorded_digest="e"))}) == 3
    )
