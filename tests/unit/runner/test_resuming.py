"""A runner that goes on from the journal of one that was killed; no job is started here."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_gridgpu.backends.base import Backend, Capabilities, Job
from jupyter_gridgpu.errors import AnswerPending, QueueFull, ScanLocked, Unreachable
from jupyter_gridgpu.model import events, notes
from jupyter_gridgpu.model.job import Observation
from jupyter_gridgpu.runner import policy
from jupyter_gridgpu.runner.loop import Runner
from jupyter_gridgpu.runner.sending import UNDERWAY_S
from jupyter_gridgpu.store import inbox
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.examples import Story

from .kit import runner_of, scan_folder, seen_by_others, shown


def story() -> Story:
    story = Story()
    story.tell("runner.started")
    story.run(1, acc=0.5, lr=0.1)
    story.run(2, None, lr=0.2)
    story.tell("scan.finished", state="done")
    return story


STORY = story().text()


LINE_ENDS = [at for at, char in enumerate(STORY) if char == ord("\n")]


@settings(max_examples=40)
@given(st.integers(0, len(STORY)) | st.sampled_from(LINE_ENDS))
def test_a_resuming_runner_and_everybody_else_see_the_same_scan(size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = scan_folder(Path(folder))
        paths.journal.write_bytes(STORY[:size])
        with runner_of(paths) as runner:
            runner.scan.record(("runner.started", {}))
            runner.scan.record(
                (
                    "variant.proposed",
                    {
                        "variant": "v0009",
                        "point": 8,
                        "repeat": 0,
                        "params": {"lr": 0.3},
                        "attrs": {},
                    },
                )
            )
            assert not runner.scan.view.finished
            assert shown(runner.scan.view) == seen_by_others(paths)


@pytest.mark.parametrize("text", [None, "", "{"])
def test_a_lost_lock_file_does_not_silence_the_runner(tmp_path: Path, text: str | None) -> None:
    paths = scan_folder(tmp_path)
    for _ in range(3):
        with runner_of(paths) as runner:
            runner.scan.record(("runner.started", {}))
    paths.lock.unlink()
    if text is not None:
        paths.lock.write_text(text)
    with runner_of(paths) as runner:
        before = runner.scan.view.rev
        runner.scan.record(("runner.started", {}))
        assert runner.scan.view.rev == before + 1


def test_a_second_runner_is_refused_and_touches_nothing(tmp_path: Path) -> None:
    paths = scan_folder(tmp_path)
    paths.journal.write_bytes(STORY[:-5])
    with runner_of(paths):
        before = paths.journal.read_bytes()
        with pytest.raises(ScanLocked):
            Runner(paths.folder)
        assert paths.journal.read_bytes() == before


def test_a_command_is_applied_once_though_it_lies_there_twice(tmp_path: Path) -> None:
    paths = scan_folder(tmp_path, sampler="random", trials=1)
    inbox.post(paths.inbox, "extend", trials=2)
    (command,) = inbox.pending(paths.inbox)
    text = command.read_text()
    with runner_of(paths) as runner:
        runner.obey()
    command.write_text(text)  # a runner that was killed between journal and removal
    (paths.inbox / "junk.json").write_text("{")
    with runner_of(paths) as runner:
        runner.obey()
        assert runner.scan.view.trials() == 3
    assert inbox.pending(paths.inbox) == []


@pytest.mark.parametrize("sampler", ["grid", "random", "sobol", "tpe"])
def test_points_are_proposed_once_over_any_number_of_runners(tmp_path: Path, sampler: str) -> None:
    trials = None if sampler == "grid" else 6
    paths = scan_folder(
        tmp_path,
        space="a = [1, 2, 3]\nb = [4, 5]\nseed = repeats(2)",
        sampler=sampler,
        trials=trials,
        parallel=4,
    )
    for _ in range(3):
        with runner_of(paths) as runner:
            runner.proposer.propose()
            lines = paths.journal.read_bytes().splitlines(keepends=True)
        paths.journal.write_bytes(
            b"".join(lines[: max(len(lines) - 1, 1)])
        )  # the last repeat was not written
    with runner_of(paths) as runner:
        runner.proposer.propose()
        variants = list(runner.scan.view.variants.values())
    assert [v.id for v in variants] == [f"v{n:04d}" for n in range(1, len(variants) + 1)]
    assert [(v.point, v.repeat) for v in variants] == [divmod(n, 2) for n in range(len(variants))]
    assert len(variants) == (4 if sampler == "tpe" else 12)
    assert all(
        v.params["seed"] == v.repeat and list(v.params) == ["a", "b", "seed"] for v in variants
    )


CONDITIONS = """
kind = ["a", "b"]
if kind == "b":
    n, m = together([(1, 2), (3, 4)])
    x = n * 10
else:
    m = 7
y = m + 1
assert y != 3
seed = repeats(2)
z = y * 100 + seed
"""


def test_variants_have_what_is_active_over_any_number_of_runners(tmp_path: Path) -> None:
    paths = scan_folder(tmp_path, space=CONDITIONS)
    for lost in (1, 3):  # the last line, and one of an earlier point
        with runner_of(paths) as runner:
            runner.proposer.propose()
            lines = paths.journal.read_bytes().splitlines(keepends=True)
        del lines[-lost]
        paths.journal.write_bytes(b"".join(lines))
    with runner_of(paths) as runner:
        runner.proposer.propose()
        runner.proposer.propose()
        found = {variant.id: variant.params for variant in runner.scan.view.variants.values()}
        assert shown(runner.scan.view) == seen_by_others(paths)
    assert [list(found[name].items()) for name in sorted(found)] == [
        [("kind", "a"), ("m", 7), ("y", 8), ("seed", 0), ("z", 800)],
        [("kind", "a"), ("m", 7), ("y", 8), ("seed", 1), ("z", 801)],
        [("kind", "b"), ("n", 3), ("m", 4), ("x", 30), ("y", 5), ("seed", 0), ("z", 500)],
        [("kind", "b"), ("n", 3), ("m", 4), ("x", 30), ("y", 5), ("seed", 1), ("z", 501)],
    ]


@pytest.mark.parametrize("sampler", ["random", "sobol", "tpe"])
def test_a_scan_without_points_is_stopped_with_a_sentence(tmp_path: Path, sampler: str) -> None:
    space = "a = uniform(0, 1)\nassert a > 2"
    paths = scan_folder(tmp_path, space=space, sampler=sampler, trials=3)
    with runner_of(paths) as runner:
        runner.proposer.propose()
        view = runner.scan.view
        assert view.stopped
        assert policy.complete(view)
        sentence = notes.stopped_by(view)
    assert sentence is not None
    assert sentence == (
        "Stopped: there are no more points: of 10,000 points that were drawn, none meets `a > 2`:"
        f" loosen the constraint, or widen the ranges. `gridgpu extend {view.scan.name} --add` adds"
        " values; another constraint makes a new scan."
    )
    assert shown(view) == seen_by_others(paths)


class Silent:
    """A backend whose engine does not answer, on a disk that may not either."""

    poll_s = 0.0
    capabilities = Capabilities()

    def __init__(self) -> None:
        self.disk: OSError | None = None
        self.asked = 0
        self.taken: dict[str, str] = {}
        self.error = Unreachable("sbatch did not answer within 60 s")

    def find(self, keys: Sequence[str]) -> dict[str, str]:
        self.asked += 1
        if self.disk:
            raise self.disk
        if not self.taken:
            raise self.error
        return self.taken

    def submit(self, jobs: Sequence[Job]) -> dict[str, str]:
        return self.find([])

    def poll(self, ids: dict[str, str]) -> dict[str, Observation]:
        return {}

    def slots(self) -> None:
        return None

    def notice(self) -> None:
        return None


@contextmanager
def silent_runner(paths: ScanPaths) -> Iterator[tuple[Runner, Silent]]:
    silent = Silent()
    with runner_of(paths, cast(Backend, silent)) as runner:
        yield runner, silent


def test_jobs_that_cannot_be_sent_are_told_of_and_sent_later(tmp_path: Path) -> None:
    with silent_runner(scan_folder(tmp_path)) as (runner, silent):
        runner.proposer.propose()
        waiting = list(runner.scan.view.waiting())
        runner.scan.record(
            *((events.JOB_INTENDED, {"key": f"{variant.id}.1"}) for variant in waiting)
        )
        notes = []
        for now in (1000.0, 1001.0, 1200.0, 1300.0):
            silent.taken = {variant.key: "7_1" for variant in waiting if now == 1300.0}
            runner.sender.settle(waiting, now)
            runner.observe(now)
            notes.append(runner.scan.view.backend_note)
        at_once, later = (
            f"{len(waiting)} jobs could not be sent{time}; it is tried again. "
            "(sbatch did not answer within 60 s.)"
            for time in (" yet", " for 3 min")
        )
        assert notes == [at_once, at_once, later, None]
        assert all(variant.submitted for variant in waiting)


def test_an_answer_that_is_near_for_minutes_is_told_of(tmp_path: Path) -> None:
    with silent_runner(scan_folder(tmp_path)) as (runner, silent):
        silent.error = AnswerPending("It is being sent.")
        runner.proposer.propose()
        waiting = list(runner.scan.view.waiting())
        runner.scan.record(
            *((events.JOB_INTENDED, {"key": f"{variant.id}.1"}) for variant in waiting)
        )
        notes = []
        for now in (1000.0, 1001.0, 1200.0):
            runner.sender.settle(waiting, now)
            runner.observe(now)
            notes.append(runner.scan.view.backend_note)
        words = f"{len(waiting)} jobs have been on the way for 3 min; no answer has come yet."
        assert notes == [None, None, words]


class Limited(Silent):
    """A backend whose engine takes so many jobs and no more."""

    def __init__(self) -> None:
        super().__init__()
        self.free = 0

    def collect(self, key: str, ident: str) -> None:
        """There is nothing to bring."""

    def find(self, keys: Sequence[str]) -> dict[str, str]:
        return {key: self.taken[key] for key in keys if key in self.taken}

    def submit(self, jobs: Sequence[Job]) -> dict[str, Any]:
        fit, self.free = jobs[: self.free], max(self.free - len(jobs), 0)
        self.taken.update({job.key: "7" for job in fit})
        return {
            job.key: self.taken.get(job.key, QueueFull("Engine: MaxSubmitLimit")) for job in jobs
        }


def test_what_a_full_engine_did_not_take_is_sent_later_but_not_while_the_scan_is_paused(
    tmp_path: Path,
) -> None:
    paths = scan_folder(tmp_path)
    engine = Limited()
    with runner_of(paths, cast(Backend, engine)) as runner:
        engine.free = 1
        runner.tick(1000.0)
        total = len(runner.scan.view.active)
        runner.tick(1000.1)
        words = (
            f"{total - 1} jobs will be sent when there is room for more of yours. "
            "(Engine: MaxSubmitLimit.)"
        )
        assert (len(engine.taken), runner.scan.view.backend_note) == (1, words)
        inbox.post(paths.inbox, "pause")
        engine.free = 2
        runner.tick(1100.0)
        runner.tick(1200.0)
        assert len(engine.taken) == 1
        inbox.post(paths.inbox, "stop", [list(runner.scan.view.variants)[-1]])
        runner.tick(1201.0)
        assert list(runner.scan.view.variants.values())[-1].state == "cancelled", (
            "what was not sent is stopped at once"
        )
        inbox.post(paths.inbox, "resume")
        runner.tick(1202.0)
        assert len(engine.taken) == 2


def test_a_disk_that_does_not_answer_for_a_while_ends_no_runner(tmp_path: Path) -> None:
    with silent_runner(scan_folder(tmp_path)) as (runner, silent):
        runner.proposer.propose()
        silent.disk = OSError(errno.ESTALE, "Stale file handle")
        assert not runner.try_tick(1000.0)
        assert not runner.try_tick(1200.0)
        assert (silent.asked, runner.sender.ask_at) == (2, 1200.0 + UNDERWAY_S)
        with pytest.raises(OSError, match="Stale"):
            runner.try_tick(1301.0)
        runner.sender.ask_at, silent.disk = 0.0, OSError(errno.ENOSPC, "No space left on device")
        with pytest.raises(OSError, match="space"):
            runner.try_tick(1302.0)
