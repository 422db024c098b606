from __future__ import annotations

import pytest

from jupyter_gridgpu.cli.stop import next_steps
from jupyter_gridgpu.model.variant import VariantView

SAVED = "will be interrupted and save what there is: the notebook so far, its metrics and files."


@pytest.mark.parametrize(
    ("states", "backend", "said"),
    [
        (
            ["running", "done"],
            "local",
            f"1 job that runs {SAVED} That takes seconds; a job that has not ended by itself is"
            " killed soon after.",
        ),
        (
            ["running", "running", "queued", "new", "failed"],
            "slurm",
            f"2 jobs that wait will not start. 2 jobs that run {SAVED} That takes seconds to a"
            " minute: Slurm kills what has not ended after its KillWait (30 s, unless the cluster"
            " says otherwise).",
        ),
        (
            ["running"],
            "htcondor",
            f"1 job that runs {SAVED} That takes up to a minute or two: then HTCondor kills what"
            " has not ended.",
        ),
        (
            ["running"],
            "panda",
            f"1 job that runs {SAVED} That takes minutes: PanDA passes it on to the sites, and jobs"
            " run on until then.",
        ),
        (
            ["running"],
            "lsf",
            f"1 job that runs {SAVED} How long that takes depends on the batch system.",
        ),
        (["new", "done"], "slurm", "1 job that waits will not start."),
        (["done", "failed"], "slurm", "None of its jobs runs or waits."),
    ],
)
def test_a_stop_says_what_comes_next(states: list[str], backend: str, said: str) -> None:
    variants = [VariantView(f"v{n}", n, 0, {}, state=state) for n, state in enumerate(states)]
    assert next_steps(variants, backend) == said


def test_what_is_to_be_tried_again_waits() -> None:
    variants = [VariantView("v0001", 0, 0, {}, state="failed", retry_asked=True)]
    assert next_steps(variants, "local") == "1 job that waits will not start."
