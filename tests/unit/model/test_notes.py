from __future__ import annotations

from typing import Any

import pytest

from jupyter_gridgpu.model.notes import nearest_name, note
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.view import ScanView
from jupyter_gridgpu.testing.examples import Story, small_scan

MISSING = "ModuleNotFoundError: No module named 'torhc' in cell 2."


def noted(story: Story, now: float = 1000.0, **changes: Any) -> str | None:
    return note(ScanView(small_scan(**changes)).apply_all(story.events), now)


def fail(story: Story, number: int, message: str = MISSING, **more: Any) -> None:
    story.run(number, None)
    data = {"reason": "notebook", "message": message, "cell": 2, "ended": 1000.0 + number, **more}
    story.tell("job.observed", key=f"v{number:04d}.1", state="failed", **data)


def test_a_note_says_that_the_objective_was_not_reported() -> None:
    story = Story()
    story.run(1)
    assert noted(story) == (
        "v0001 ended without reporting acc, the objective; it reported nothing."
    )
    story.run(2, acc=1.0)
    assert noted(story, objective=None) is None


def test_a_wrong_name_of_the_objective_is_said_once_something_else_was_reported() -> None:
    story = Story()
    story.run(1, None, acc=0.5)
    wrong = Objective("accuracy", "maximize")
    assert noted(story, 1030.0, objective=wrong) is None
    assert noted(story, 1040.0, objective=wrong) == (
        "v0001 has not reported accuracy, the objective, so far; it reported acc. Is acc meant?"
    )
    assert noted(story, 1040.0) is None
    story.tell("job.observed", key="v0001.1", state="done")
    assert noted(story, 1031.0, objective=wrong) == (
        "v0001 ended without reporting accuracy, the objective; it reported acc. Is acc meant?"
    )


def test_each_of_several_objectives_is_looked_for() -> None:
    story = Story()
    story.run(1, acc=0.5)
    both = (Objective("acc", "maximize"), Objective("loss", "minimize"))
    assert noted(story, objectives=both) == (
        "v0001 ended without reporting loss, an objective; it reported acc."
    )
    assert noted(story, objectives=both[:1]) is None


@pytest.mark.parametrize(
    ("wanted", "names", "nearest"),
    [
        ("acc", ["loss", "accuracy"], "accuracy"),
        ("ValAcc", ["loss", "val_acc", "acc"], "val_acc"),
        ("val-loss", ["loss", "val_loss"], "val_loss"),
        ("acurracy", ["loss", "accuracy"], "accuracy"),
        ("auc", ["loss", "val_auc"], "val_auc"),
        ("rej_light", ["loss", "epoch_time"], None),
        ("x", ["xyz", "loss"], None),
    ],
)
def test_the_nearest_name_is_the_one_that_is_meant(
    wanted: str, names: list[str], nearest: str | None
) -> None:
    assert nearest_name(wanted, names) == nearest


def test_failures_alike_are_said_from_the_second_on_until_something_is_done() -> None:
    story = Story()
    fail(story, 1)
    assert noted(story) is None
    fail(story, 2)
    said = f"failed with {MISSING}"
    assert noted(story) == f"All 2 variants that have ended {said}"
    assert noted(story, retries=1) is None
    fail(story, 3)
    assert noted(story) == f"All 3 variants {said}"
    story.run(4, acc=0.5)
    assert noted(story) is None


def test_failures_of_different_causes_are_not_said() -> None:
    story = Story()
    fail(story, 1)
    fail(story, 2, "KeyError: 'a' in cell 2.")
    assert noted(story) is None
