from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.model import wire
from jupyter_gridgpu.model.estimate import seconds_left
from jupyter_gridgpu.model.events import Event
from jupyter_gridgpu.model.job import END_STATES, STATES
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.view import ScanView
from jupyter_gridgpu.store.journal import JournalReader
from jupyter_gridgpu.testing.examples import Story, small_scan


def fold(story: Story | list[Event], **changes: Any) -> ScanView:
    return ScanView(small_scan(**changes)).apply_all(
        story.events if isinstance(story, Story) else story
    )


def shown(view: ScanView) -> Any:
    return wire.head(view, view.state, 2000.0), [
        wire.row(view, variant) for variant in view.variants.values()
    ]


@st.composite
def stories(draw: st.DrawFn) -> list[Event]:
    """Any events of three variants that were proposed; some are late, repeated or contradictory."""
    story = Story()
    for number in (1, 2, 3):
        story.propose(number, lr=number / 10)
    attempts = {f"v000{n}": 0 for n in (1, 2, 3)}
    for _ in range(draw(st.integers(0, 25))):
        ident = draw(st.sampled_from(sorted(attempts)))
        key = f"{ident}.{draw(st.integers(1, max(attempts[ident], 1)))}"
        kind = draw(
            st.sampled_from(
                [
                    "intended",
                    "submitted",
                    "observed",
                    "observed",
                    "reported",
                    "command",
                    "started",
                    "finished",
                ]
            )
        )
        if kind == "intended":
            attempts[ident] += 1
            story.tell("job.intended", key=f"{ident}.{attempts[ident]}")
        elif kind == "submitted":
            story.tell("job.submitted", key=key, engine_id="e")
        elif kind == "observed":
            story.tell(
                "job.observed",
                key=key,
                state=draw(st.sampled_from(STATES)),
                reason=draw(st.sampled_from([None, "oom"])),
            )
        elif kind == "reported":
            value = draw(st.sampled_from(["NaN", 0.5, 1]))
            story.tell(
                "job.reported",
                key=key,
                step=1,
                metrics={"acc": [1, None, None, [value]]},
                whole=draw(st.booleans()),
            )
        elif kind == "command":
            action = draw(st.sampled_from(["stop", "retry", "pause", "resume", "extend"]))
            chosen = draw(st.sampled_from([None, [ident], ["v0099"]]))
            story.tell(
                "command.applied",
                id=f"c{len(story.events)}",
                action=action,
                variants=chosen,
                trials=2,
            )
        else:
            story.tell("runner.started" if kind == "started" else "scan.finished")
    return story.events


@given(stories())
def test_no_event_leads_out_of_an_end_state_but_a_new_attempt(events: list[Event]) -> None:
    view, ended = ScanView(small_scan()), dict[tuple[str, int], str]()
    for event in events:
        view.apply(event)
        for variant in view.variants.values():
            if variant.state in END_STATES:
                assert (
                    ended.setdefault((variant.id, variant.attempts), variant.state) == variant.state
                )
            else:
                assert (variant.id, variant.attempts) not in ended


@given(stories())
def test_active_variants_are_those_of_which_a_job_may_exist(events: list[Event]) -> None:
    view = ScanView(small_scan())
    for event in events:
        view.apply(event)
        assert set(view.active) == {
            v.id for v in view.variants.values() if v.attempts and v.state not in END_STATES
        }


@given(stories())
def test_every_view_is_strict_json(events: list[Event]) -> None:
    view = fold(events)
    json.dumps([shown(view), wire.summary(view, view.state, "/scan")], allow_nan=False)


@given(stories(), st.randoms(use_true_random=False))
def test_the_fold_is_the_same_however_the_journal_is_read(events: list[Event], cuts: Any) -> None:
    data = "".join(event.line() + "\n" for event in events).encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        reader, view, at = JournalReader(path), ScanView(small_scan()), 0
        while at < len(data):
            end = at + cuts.randint(1, 200)
            with open(path, "ab") as file:
                file.write(data[at:end])
            at = end
            view.apply_all(reader.read())
    assert shown(view) == shown(fold(events))
    assert view.rev == fold(events).rev


@given(stories())
def test_events_seen_twice_count_once(events: list[Event]) -> None:
    assert shown(fold([*events, *events])) == shown(fold(events))


@given(stories(), st.integers(0, 30))
def test_events_of_an_older_term_are_dropped(events: list[Event], at: int) -> None:
    late = Story(term=1, seq=len(events) + 100)
    late.run(7)
    new = Story(term=2, seq=len(events))
    new.tell("runner.started")
    assert shown(fold([*events, *new.events, *late.events])) == shown(fold([*events, *new.events]))


def test_a_finished_job_ignores_late_running() -> None:
    story = Story()
    story.run(1, "done", acc=0.5)
    story.tell("job.observed", key="v0001.1", state="running", where="elsewhere")
    variant = fold(story).variants["v0001"]
    assert (variant.state, variant.where) == ("done", None)


def test_a_requeued_job_may_run_again() -> None:
    story = Story()
    story.run(1, "queued")
    story.tell("job.observed", key="v0001.1", state="running")
    assert fold(story).variants["v0001"].state == "running"


def test_a_new_attempt_forgets_all_but_the_gpu_time() -> None:
    story = Story()
    story.run(1, None, acc=0.5)
    story.tell(
        "job.observed",
        key="v0001.1",
        state="failed",
        reason="oom",
        message="Out of memory.",
        cell=3,
        gpu_s=7.0,
    )
    story.tell("job.intended", key="v0001.2")
    variant = fold(story).variants["v0001"]
    assert (variant.state, variant.attempts, variant.reason, variant.message, variant.cell) == (
        "new",
        2,
        None,
        None,
        None,
    )
    assert (variant.metrics, variant.gpu_s) == ({}, 7.0)


def test_an_older_attempt_has_nothing_more_to_say() -> None:
    story = Story()
    story.run(1, "failed")
    story.tell("job.intended", key="v0001.2")
    story.tell("job.observed", key="v0001.1", state="done")
    story.tell("job.reported", key="v0001.1", metrics={"acc": [1, 1, 1, [1]]})
    variant = fold(story).variants["v0001"]
    assert (variant.state, variant.metrics) == ("new", {})


def test_metrics_that_are_read_again_from_their_beginning_count_once() -> None:
    story = Story()
    story.run(1, None, acc=0.5)
    story.tell(
        "job.reported",
        key="v0001.1",
        step=2,
        metrics={"acc": [2, 0.5, 0.7, [0.5, 0.7]]},
        whole=True,
    )
    series = fold(story).variants["v0001"].metrics["acc"]
    assert (series.n, series.min, series.max, series.last, series.trail) == (
        2,
        0.5,
        0.7,
        0.7,
        [0.5, 0.7],
    )


def test_the_best_is_the_best_finished_one_and_never_nan() -> None:
    story = Story()
    story.run(1, acc=math.nan)
    story.run(2, acc=0.7)
    story.run(3, acc=0.9)
    story.run(4, None, acc=1.0)
    best, worst = fold(story).best(), fold(story, objective=Objective("acc", "minimize")).best()
    assert best is not None
    assert worst is not None
    assert (best.id, worst.id) == ("v0003", "v0002")
    assert fold(story, objective=None).best() is None


def test_without_a_number_there_is_no_best() -> None:
    story = Story()
    story.run(1, acc=math.nan)
    story.run(2)
    assert fold(story).best() is None


def test_stop_ends_what_has_not_started_and_asks_what_has() -> None:
    story = Story()
    story.run(1, None)
    story.propose(2)
    story.run(3)
    story.tell("command.applied", id="c", action="stop", variants=None)
    view = fold(story)
    assert [v.state for v in view.variants.values()] == ["running", "cancelled", "done"]
    assert [v.stop_asked for v in view.variants.values()] == [True, True, False]
    story.tell("scan.finished")
    assert fold(story).state == "stopped"


def test_stop_of_one_variant_leaves_the_others() -> None:
    story = Story()
    story.run(1, None)
    story.run(2, None)
    story.tell("command.applied", id="c", action="stop", variants=["v0002", "v0099"])
    view = fold(story)
    assert [v.stop_asked for v in view.variants.values()] == [False, True]
    assert not view.stopped


def test_retry_asks_for_those_that_did_not_end_well() -> None:
    story = Story()
    story.run(1, "done")
    story.run(2, "failed")
    story.run(3, "lost")
    story.tell("scan.finished")
    story.tell("command.applied", id="c", action="retry", variants=None)
    view = fold(story)
    assert [v.retry_asked for v in view.variants.values()] == [False, True, True]
    assert view.state == "running"


def test_pause_resume_and_extend() -> None:
    story = Story()
    story.tell("command.applied", id="a", action="pause", variants=None)
    assert fold(story).state == "paused"
    story.tell("command.applied", id="b", action="resume", variants=None)
    story.tell("command.applied", id="c", action="extend", variants=None, trials=4)
    view = fold(story, trials=3, sampler="random")
    assert (view.state, view.trials(), view.total(), view.commands) == (
        "running",
        7,
        7,
        {"a", "b", "c"},
    )


def test_totals_count_repeats() -> None:
    story = Story()
    story.tell("command.applied", id="c", action="extend", variants=None, trials=4)
    assert fold(story, space="lr = uniform(0, 1)\nseed = repeats(2)", trials=3).total() == 14


def test_only_changed_variants_get_a_new_revision() -> None:
    story = Story()
    story.run(1)
    story.run(2, None)
    view = fold(story)
    before = view.rev
    view.apply(story.tell("job.observed", key="v0002.1", state="done"))
    assert [v.id for v in view.variants.values() if v.rev > before] == ["v0002"]


def test_events_of_an_unknown_type_change_nothing() -> None:
    story = Story()
    story.run(1)
    before = shown(fold(story))
    story.tell("moon.risen", key="v0001.1")
    assert shown(fold(story)) == before


def test_time_left_is_estimated_once_three_have_ended() -> None:
    story = Story()
    for number in (1, 2):
        story.run(number)
    story.events.insert(0, Event(0, 1, 1000.0, "runner.started", {}))
    view = fold(
        [Event(i, e.term, e.time, e.type, e.data) for i, e in enumerate(story.events, 1)],
        trials=10,
        sampler="random",
    )
    assert seconds_left(view, 2000.0) is None
    more = Story(seq=view.seq)
    more.run(3)
    left = seconds_left(view.apply_all(more.events), 2000.0)
    assert left is not None
    assert left > 0


def test_a_job_of_a_variant_that_cannot_be_read_takes_nothing_along() -> None:
    story = Story()
    story.tell("job.intended", key="v0009.1")
    story.tell("job.submitted", key="v0009.1", engine_id="e")
    story.run(1)
    assert list(ScanView(small_scan()).apply_all(story.events).variants) == ["v0001"]
