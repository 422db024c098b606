from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.model.view import ScanView
from jupyter_gridgpu.runner import policy
from jupyter_gridgpu.testing.examples import Story, small_scan


def fold(story: Story, **changes: Any) -> ScanView:
    return ScanView(small_scan(**changes)).apply_all(story.events)


def waiting(story: Story, **changes: Any) -> list[str]:
    return [variant.id for variant in fold(story, **changes).waiting()]


def test_a_proposed_variant_waits_for_its_job_and_a_sent_one_does_not() -> None:
    story = Story()
    story.propose(1, lr=0.1)
    story.run(2, None)
    story.run(3, "done")
    assert waiting(story) == ["v0001"]


def test_a_failure_is_tried_again_as_often_as_was_asked() -> None:
    story = Story()
    story.run(1, "failed")
    assert [waiting(story, retries=n) for n in (0, 1)] == [[], ["v0001"]]
    story.run(1, "lost", attempt=2)
    assert [waiting(story, retries=n) for n in (1, 2)] == [[], ["v0001"]]


def test_what_was_stopped_is_not_tried_again_unless_asked() -> None:
    story = Story()
    story.run(1, None)
    story.tell("command.applied", id="a", action="stop", variants=["v0001"])
    story.tell("job.observed", key="v0001.1", state="cancelled")
    assert waiting(story, retries=3) == []
    story.tell("command.applied", id="b", action="retry", variants=["v0001"])
    assert waiting(story) == ["v0001"]
    story.tell("job.intended", key="v0001.2")
    assert waiting(story) == []


def test_after_a_stop_nothing_waits() -> None:
    story = Story()
    story.propose(1)
    story.run(2, "failed")
    story.tell("command.applied", id="a", action="stop", variants=None)
    assert waiting(story, retries=3) == []
    assert policy.complete(fold(story, retries=3))


def test_a_scan_is_complete_when_every_point_ended() -> None:
    story = Story()
    assert not policy.complete(fold(story))
    for number in (1, 2):
        story.run(number)
    assert not policy.complete(fold(story))
    story.run(3, None)
    assert not policy.complete(fold(story))
    story.tell("job.observed", key="v0003.1", state="failed")
    assert policy.complete(fold(story))
    assert not policy.complete(fold(story, retries=1))


def test_an_extended_scan_is_not_complete() -> None:
    story = Story()
    story.run(1)
    changes: dict[str, Any] = {"sampler": "random", "trials": 1}
    assert policy.complete(fold(story, **changes))
    story.tell("command.applied", id="a", action="extend", variants=None, trials=2)
    assert not policy.complete(fold(story, **changes))


REPEATED = "lr = [0.1, 0.2]\nseed = repeats(3)"


def repeated(story: Story, number: int, point: int, repeat: int) -> None:
    params = {"lr": [0.1, 0.2][point], "seed": repeat}
    story.tell(
        "variant.proposed",
        variant=f"v{number:04d}",
        point=point,
        repeat=repeat,
        params=params,
        attrs={"a": point},
    )


def test_repeats_a_killed_runner_had_not_written_are_missing() -> None:
    story = Story()
    assert policy.missing_variants(fold(story, space=REPEATED)) == []
    repeated(story, 1, 0, 0)
    assert policy.missing_variants(fold(story, space=REPEATED)) == [
        ("v0002", 0, 1),
        ("v0003", 0, 2),
    ]
    repeated(story, 2, 0, 1)
    repeated(story, 3, 0, 2)
    assert policy.missing_variants(fold(story, space=REPEATED)) == []
    assert fold(story, space=REPEATED).points == 1


def test_a_sampler_sees_the_mean_of_a_repeated_point() -> None:
    story = Story()
    for number, value in ((1, 0.25), (2, 0.75), (3, None)):
        repeated(story, number, 0, number - 1)
        key = f"v{number:04d}.1"
        story.tell("job.intended", key=key)
        if value is not None:
            story.tell("job.reported", key=key, metrics={"acc": [1, value, value, [value]]})
            story.tell("job.observed", key=key, state="done")
    (trial,) = policy.history(fold(story, space=REPEATED))
    assert (trial.state, trial.values, trial.params, trial.attrs) == (
        "running",
        (),
        {"lr": 0.1},
        {"a": 0},
    )
    story.tell("job.observed", key="v0003.1", state="failed")
    (trial,) = policy.history(fold(story, space=REPEATED))
    assert (trial.state, trial.values) == ("done", (0.5,))
    (trial,) = policy.history(fold(story, space=REPEATED, retries=1))
    assert trial.state == "running"


def test_a_sampler_sees_nan_as_no_success_and_silence_as_a_failure() -> None:
    story = Story()
    story.run(1, acc=math.nan, lr=0.1)
    story.run(2, lr=0.2)
    story.run(3, "failed", acc=0.5, lr=0.3)
    first, second, third = policy.history(fold(story))
    assert first.values[0] is None or math.isnan(first.values[0])
    assert (second.state, third.state) == ("failed", "failed")


@given(st.permutations([1, 2, 3, 4]))
def test_a_sampler_sees_points_in_the_order_they_were_proposed(order: list[int]) -> None:
    story = Story()
    for number in (1, 2, 3, 4):
        story.propose(number, lr=number / 10)
    for number in order:
        story.tell("job.intended", key=f"v{number:04d}.1")
        story.tell("job.observed", key=f"v{number:04d}.1", state="failed")
    assert [trial.params["lr"] for trial in policy.history(fold(story))] == [0.1, 0.2, 0.3, 0.4]


def test_stop_after_retry_stops() -> None:
    story = Story()
    story.run(1, "failed")
    story.run(2, "cancelled")
    story.tell("command.applied", id="a", action="retry", variants=None)
    assert waiting(story) == ["v0001", "v0002"]
    story.tell("command.applied", id="b", action="stop", variants=None)
    assert waiting(story) == []


def test_a_retry_of_a_variant_that_is_still_ending_is_kept_until_it_has() -> None:
    story = Story()
    story.run(1, None)
    story.tell("command.applied", id="a", action="stop", variants=None)
    story.tell("command.applied", id="b", action="retry", variants=None)
    assert waiting(story) == []
    story.tell("job.observed", key="v0001.1", state="cancelled")
    assert waiting(story) == ["v0001"]


def test_a_retry_of_one_variant_does_not_restart_a_stopped_search() -> None:
    story = Story()
    story.run(1, "failed")
    story.tell("command.applied", id="a", action="stop", variants=None)
    story.tell("scan.finished", state="stopped")
    story.tell("command.applied", id="b", action="retry", variants=["v0001"])
    view = fold(story, sampler="random", trials=40)
    assert view.stopped
    assert not view.finished
    assert [variant.id for variant in view.waiting()] == ["v0001"]
    story.run(1, "done", attempt=2)
    assert policy.complete(fold(story, sampler="random", trials=40))
