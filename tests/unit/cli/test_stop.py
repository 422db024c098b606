from __future__ import annotations

from typing import Any

import pytest

from jupyter_gridgpu.cli.stop import next_steps
from jupyter_gridgpu.model.resources import Placement, Resources
from jupyter_gridgpu.model.variant import VariantView
from jupyter_gridgpu.testing.examples import small_scan

KILLED = (
    "will be killed when the pilot next reports to PanDA, which takes up to 30 min. PanDA keeps no"
    " files of a killed job; the metrics that have come stay."
)
SAVED = "will be interrupted and save what there is: the notebook so far, its metrics and files."


@pytest.mark.parametrize(
    ("states", "backend", "said"),
    [
        (
            ["running", "done"],
            "local",
            f"1 job that runs {SAVED} Most end in seconds. Saving may take up to 30 s; a job"
            " that has not ended by itself is killed soon after.",
        ),
        (
            ["running", "running", "queued", "new", "failed"],
            "slurm",
            f"2 jobs that wait will not start. 2 jobs that run {SAVED} Most end in seconds."
            " Saving may take up to 30 s; Slurm kills what has not ended soon after, and takes its"
            " KillWait for that (30 s, unless the cluster says otherwise).",
        ),
        (
            ["running"],
            "htcondor",
            f"1 job that runs {SAVED} Most end within a minute. Saving may take up to 30 s;"
            " HTCondor kills what has not ended soon after.",
        ),
        (
            ["running"],
            "panda",
            f"1 job that runs {KILLED}",
        ),
        (
            ["running", "running", "queued"],
            "panda",
            f"1 job that waits will be taken back within some minutes. 2 jobs that run {KILLED}",
        ),
        (["done"], "panda", "None of its jobs runs or waits."),
        (
            ["running"],
            "lsf",
            f"1 job that runs {SAVED} Saving may take up to 30 s; how long the rest takes depends"
            " on the batch system.",
        ),
        (["new", "done"], "slurm", "1 job that waits will not start."),
        (["done", "failed"], "slurm", "None of its jobs runs or waits."),
    ],
)
def test_a_stop_says_what_comes_next(states: list[str], backend: str, said: str) -> None:
    variants = [VariantView(f"v{n}", n, 0, {}, state=state) for n, state in enumerate(states)]
    assert next_steps(variants, small_scan(backend=backend)) == said


@pytest.mark.parametrize(
    ("attempts", "said"),
    [(None, "up to 2 times more"), (2, "once more"), (5, "up to 4 times more"), (1, None)],
)
def test_one_variant_at_panda_is_started_again_and_killed_again(
    attempts: int | None, said: str | None
) -> None:
    variants = [VariantView("v0001", 0, 0, {}, state="running")]
    scan = small_scan(backend="panda", placement=Placement(attempts=attempts))
    text = next_steps(variants, scan, others_go_on=True)
    if said is None:
        assert "PanDA starts" not in text
    else:
        assert f"PanDA starts a killed job {said}, after some minutes each time" in text
    # The end of a whole task ends its tries, too.
    assert "PanDA starts" not in next_steps(variants, scan)


def test_what_is_to_be_tried_again_waits() -> None:
    variants = [VariantView("v0001", 0, 0, {}, state="failed", retry_asked=True)]
    assert next_steps(variants, small_scan()) == "1 job that waits will not start."


@pytest.mark.parametrize(
    ("wanted", "grace"),
    [
        ({"grace_s": 120}, "2 min;"),
        ({"grace_s": 90}, "1 min 30 s;"),
        ({"grace_s": 7200, "walltime_s": 3600}, "30 min;"),
        ({"walltime_s": 7200}, "1 min;"),
        ({"walltime_s": 120}, "12 s;"),
    ],
)
def test_a_stop_names_the_grace(wanted: dict[str, Any], grace: str) -> None:
    variants = [VariantView("v0001", 0, 0, {}, state="running")]
    said = next_steps(variants, small_scan(resources=Resources(**wanted)))
    assert f"Saving may take up to {grace}" in said
