"""How the two witnesses of a job, its files and its engine, are heard together. The engines' own words are in other tests."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.backends import cluster
from jupyter_gridgpu.backends.base import Job, job_spec
from jupyter_gridgpu.backends.batches import Batch
from jupyter_gridgpu.backends.cluster import ClusterBackend
from jupyter_gridgpu.backends.exits import exit_words
from jupyter_gridgpu.backends.inquiry import Answer, Seen
from jupyter_gridgpu.errors import EngineError, Full, Unreachable
from jupyter_gridgpu.model.job import Observation
from jupyter_gridgpu.model.resources import Placement, Resources
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.examples import small_scan


class Scripted(ClusterBackend):
    """A backend whose engine says what the test lets it say."""

    engine = "Engine"
    batch_limit = 3

    def __init__(self, paths: ScanPaths, **changes: Any) -> None:
        super().__init__(small_scan(**{"backend": "scripted", **changes}), paths)
        self.taken: dict[str, str] = {}
        self.refuses: Exception | None = None
        self.free = 1000  # tasks that it takes
        self.sizes: list[int] = []  # of the batches it was given
        self.ended: list[tuple[list[str], bool]] = []
        self.brought: list[int] = []

    def check(self, ask: bool = True) -> None:
        """It takes everything."""

    def send(self, batch: Batch) -> str:
        if isinstance(self.refuses, EngineError):
            raise self.refuses
        self.sizes.append(len(batch.tasks))
        if len(batch.tasks) > self.free:
            raise Full("Engine takes no more.")
        self.free -= len(batch.tasks)
        self.taken[batch.name] = batch.name[1:]
        return batch.name[1:]

    def sent(self, batches: Sequence[Batch]) -> dict[str, str]:
        if isinstance(self.refuses, Unreachable):
            raise self.refuses
        return {batch.name: self.taken[batch.name] for batch in batches if batch.name in self.taken}

    def task_id(self, batch_id: str, index: int) -> str:
        return f"{batch_id}_{index}"

    def ask(self) -> Mapping[str, Seen]:
        raise Unreachable("The test says itself what was seen.")

    def end(self, tasks: Sequence[str], hard: bool) -> None:
        if self.refuses:
            raise self.refuses
        self.ended.append((list(tasks), hard))

    def bring(self, batch: Batch, index: int) -> None:
        self.brought.append(index)

    # what a test does ---------------------------------------------------------------

    def says(self, tasks: Mapping[str, Seen], at: float | None = None) -> None:
        self._inquiry.answer = Answer(time.time() if at is None else at, tasks)
        self._inquiry._due = float("inf")

    def hand_over(self, *numbers: int) -> dict[str, str]:
        keys = [f"v{number:04d}.1" for number in numbers]
        jobs = [Job(key, self._paths.job(key), job_spec(self._scan, key, {"lr": 0.1})) for key in keys]
        answers = self.submit(jobs)
        return {key: str(answer) for key, answer in answers.items() if isinstance(answer, str)}

    def one(self, ids: dict[str, str], key: str = "v0001.1") -> Observation | None:
        return self.poll(ids).get(key)

    def copy(self, key: str, name: str = "ab12", at: float | None = None) -> Any:
        """Files as a worker that started makes them."""
        copy = self._paths.job(key).copy(name)
        copy.folder.mkdir()
        copy.about.write_text(json.dumps({"host": "node1", "started": 5.0, "gpus": "0"}))
        copy.notebook.write_text("{}")
        when = time.time() if at is None else at
        os.utime(copy.about, (when, when))
        return copy


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScanPaths:
    monkeypatch.setenv("GRIDGPU_POLL_S", "0.1")
    (tmp_path / "scan" / "jobs").mkdir(parents=True)
    return ScanPaths(tmp_path / "scan")


def result(key: str, **changes: Any) -> str:
    return json.dumps({"key": key, "copy": "ab12", "started": 5.0, "ended": 9.0, "state": "done", **changes})


# handing over ---------------------------------------------------------------------------


def test_jobs_go_out_in_tasks_and_batches(paths: ScanPaths) -> None:
    backend = Scripted(paths, per_job=2)
    ids = backend.hand_over(*range(1, 9))
    assert list(ids.values()) == ["0001_1", "0001_1", "0001_2", "0001_2", "0001_3", "0001_3", "0002_1", "0002_1"]
    assert (paths.batches / "b0001" / "tasks").read_text() == "v0001.1 v0002.1\nv0003.1 v0004.1\nv0005.1 v0006.1\n"
    assert json.loads(paths.job("v0001.1").spec.read_text())["requeues"] is True


def test_variants_that_share_a_gpu_are_one_task_and_told_to_leave_each_other_memory(paths: ScanPaths) -> None:
    backend = Scripted(paths, per_gpu=2, per_job=2, resources=Resources(gpus=1, cpus=3))
    assert list(backend.hand_over(1, 2, 3, 4, 5).values()) == ["0001_1"] * 4 + ["0001_2"]
    env = json.loads(paths.job("v0001.1").spec.read_text())["env"]
    assert (env["TF_FORCE_GPU_ALLOW_GROWTH"], env["OMP_NUM_THREADS"]) == ("true", "3")


def test_what_was_handed_over_is_not_sent_again(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    first = backend.hand_over(1, 2)
    assert backend.hand_over(1, 2, 3) == {**first, "v0003.1": "0002_1"}
    assert Scripted(paths).hand_over(1, 2) == first


def test_a_batch_that_a_killed_runner_sent_is_found_by_its_name(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    ids = backend.hand_over(1, 2)
    (paths.batches / "b0001" / "engine.json").unlink()
    after = Scripted(paths)
    after.taken = backend.taken
    assert after.find(["v0001.1", "v0002.1", "v0003.1"]) == ids


def test_a_batch_that_was_never_sent_is_sent_by_the_next_runner(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    backend.hand_over(1)
    (paths.batches / "b0001" / "engine.json").unlink()
    after = Scripted(paths)
    assert after.find(["v0001.1"]) == {}
    assert after.hand_over(1) == {"v0001.1": "0002_1"}


def test_while_the_engine_is_silent_nothing_is_sent_twice(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    backend.refuses = Unreachable("no answer")
    job = Job("v0001.1", paths.job("v0001.1"), {})
    assert backend.submit([job]) == {"v0001.1": backend.refuses}
    with pytest.raises(Unreachable):
        backend.find(["v0001.1"])
    assert backend.submit([job]) == {"v0001.1": backend.refuses}
    backend.refuses, backend.taken = None, {"b0001": "0001"}  # it had taken it all the same
    assert backend.submit([job]) == {"v0001.1": "0001_1"}


def test_machines_that_share_a_home_do_not_share_answers(paths: ScanPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    names = []
    for host in ("login1.one", "login1.other"):
        monkeypatch.setattr("socket.gethostname", lambda host=host: host)
        names.append(Scripted(paths)._answer_file())
    assert names[0] != names[1]


def test_a_refusal_is_each_job_s_answer(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    backend.refuses = EngineError("Invalid account.")
    jobs = [Job(key, paths.job(key), {}) for key in ("v0001.1", "v0002.1")]
    assert backend.submit(jobs) == dict.fromkeys(("v0001.1", "v0002.1"), backend.refuses)
    backend.refuses = None
    assert backend.find(["v0001.1"]) == {}


def test_an_engine_that_takes_few_jobs_gets_few_at_a_time_and_refuses_none_for_good(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    backend.batch_limit, backend.free = 100, 14
    everything = range(1, 51)
    assert len(backend.hand_over(*everything)) == 14
    assert backend.sizes == [50, 25, 12, 12, 6, 3, 1, 1, 1]
    backend.sizes.clear()
    assert len(backend.hand_over(*everything)) == 14
    assert backend.sizes == [1], "one call, while it stays full"
    backend.free, backend.sizes = 2, []
    assert len(backend.hand_over(*everything)) == 16
    assert backend.sizes == [1, 2, 1, 1]
    assert len(list(paths.batches.iterdir())) == 5, "nothing is kept of those that were refused"
    backend.free, backend.sizes = 1000, []
    assert len(backend.hand_over(*everything)) == 50
    assert backend.sizes == [1, 2, 4, 8, 16, 3]
    backend.sizes.clear()
    assert len(backend.hand_over(51, 52, 53)) == 3
    assert backend.sizes == [3]


# looking --------------------------------------------------------------------------------


def test_a_waiting_job_says_what_the_engine_says(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    ids = backend.hand_over(1)
    assert backend.one(ids) is None
    page = "https://monitor.example/17"
    backend.says({"0001_1": Seen("queued", message="Waits in gpu.", where="gpu", link=page)})
    seen = backend.one(ids)
    assert seen == Observation("queued", message="Waits in gpu.", where="gpu", link=page)


def test_files_say_that_a_job_runs_before_the_engine_does(paths: ScanPaths) -> None:
    backend = Scripted(paths, placement=Placement("gpu"))
    ids = backend.hand_over(1)
    backend.says({"0001_1": Seen("queued", message="Waits.")}, time.time() - 9)
    backend.one(ids)
    backend.copy("v0001.1")
    seen = backend.one(ids)
    assert seen is not None
    assert (seen.state, seen.where, seen.node, seen.gpu, seen.started) == ("running", "gpu", "node1", "0", 5.0)
    assert seen.notebook == "jobs/v0001.1/ab12/output.ipynb"


@pytest.mark.parametrize(
    ("about", "gpu"),
    [
        ({"gpus": "0,1", "models": ["NVIDIA A100"]}, "NVIDIA A100"),
        ({"gpus": "0", "models": ["NVIDIA A100", "Tesla T4"]}, "0"),
        ({"gpus": "GPU-1", "models": []}, "GPU-1"),
        ({"gpus": None, "models": ["NVIDIA A100"]}, None),
        ({"gpus": ["0"], "models": 3}, None),
    ],
)
def test_a_running_job_says_which_gpu_it_has(paths: ScanPaths, about: dict[str, Any], gpu: str | None) -> None:
    backend = Scripted(paths)
    ids = backend.hand_over(1)
    backend.copy("v0001.1").about.write_text(json.dumps(about))
    backend.says({"0001_1": Seen("running")})
    assert getattr(backend.one(ids), "gpu", "?") == gpu


def test_of_a_running_job_that_the_engine_forgot_its_archive_is_asked(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    ids = backend.hand_over(1)
    copy = backend.copy("v0001.1", at=time.time() - 50)
    backend.says({})
    assert getattr(backend.one(ids), "state", None) == "running"
    assert backend._watched["v0001.1"].missing is not None
    copy.result.write_text(result("v0001.1", state="failed", reason="preempted"))
    backend.says({"0001_1": Seen("cancelled", "user", "Removed.")})
    assert getattr(backend.one(ids), "reason", None) == "preempted"


def test_a_job_that_the_engine_started_again_waits_until_its_new_copy_runs(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    ids = backend.hand_over(1)
    backend.copy("v0001.1", at=time.time() - 50)
    backend.says({"0001_1": Seen("running")})
    assert getattr(backend.one(ids), "state", None) == "running"
    backend.says({"0001_1": Seen("queued", message="Started again.")})
    assert backend.one(ids) == Observation("queued", message="Started again.")
    backend.copy("v0001.1", "cd34", at=time.time() + 1)
    seen = backend.one(ids)
    assert seen is not None
    assert (seen.state, seen.notebook) == ("running", "jobs/v0001.1/cd34/output.ipynb")


def test_a_result_is_believed_before_the_engine(paths: ScanPaths) -> None:
    backend = Scripted(paths, resources=Resources(gpus=2), per_gpu=2)
    ids = backend.hand_over(1)
    backend.copy("v0001.1")
    backend.says({"0001_1": Seen("failed", "node", "exit code 1", where="gpu")})
    paths.job("v0001.1").result.write_text(result("v0001.1"))
    seen = backend.one(ids)
    assert seen is not None
    assert (seen.state, seen.reason, seen.where, seen.gpu_s) == ("done", None, "gpu", 4.0)


def test_a_kernel_that_died_of_memory_for_the_engine_did_so(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    ids = backend.hand_over(1)
    backend.copy("v0001.1")
    backend.says({"0001_1": Seen("failed", "oom", "Used more memory than 4000 MB.")})
    paths.job("v0001.1").result.write_text(result("v0001.1", state="failed", reason="notebook", message="The kernel died."))
    seen = backend.one(ids)
    assert seen is not None
    assert (seen.reason, seen.message) == ("oom", "Used more memory than 4000 MB.")


def test_a_job_that_ended_without_a_result_has_some_time_to_show_one(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    ids = backend.hand_over(1)
    backend.copy("v0001.1")
    backend.says({"0001_1": Seen("failed", "node", "The node went away.", node="node7", ended=7.0)})
    assert backend.one(ids) is None
    assert backend.brought == [1]
    backend.grace_s = 0.0
    seen = backend.one(ids)
    assert seen is not None
    assert (seen.state, seen.reason, seen.message, seen.node) == ("failed", "node", "The node went away.", "node7")
    assert (seen.notebook, seen.ended) == ("jobs/v0001.1/ab12/output.ipynb", 7.0)
    assert backend.brought == [1]


def test_the_result_of_a_preempted_copy_counts_once_the_engine_will_not_start_it_again(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    ids = backend.hand_over(1)
    copy = backend.copy("v0001.1", at=time.time() - 9)
    copy.result.write_text(result("v0001.1", state="failed", reason="preempted", message="Ended from outside in cell 3."))
    backend.says({"0001_1": Seen("queued")})
    assert getattr(backend.one(ids), "state", None) == "queued"
    backend.says({"0001_1": Seen("failed", "preempted", "Preempted.")})
    seen = backend.one(ids)
    assert seen is not None
    assert (seen.state, seen.reason, seen.message) == ("failed", "preempted", "Ended from outside in cell 3.")


def test_what_the_launcher_said_is_shown_of_a_job_that_no_worker_ran(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    ids = backend.hand_over(1)
    paths.job("v0001.1").log.write_text("looking\nNo such image: \x1b[31mml-base\n")
    backend.says({"0001_1": Seen("failed", *exit_words(73))})
    backend.one(ids)
    backend.grace_s = 0.0
    seen = backend.one(ids)
    assert seen is not None
    assert (seen.reason, seen.message) == ("image", "The image could not be used. No such image: [31mml-base")


def test_a_job_behind_another_in_its_task_waits_for_its_turn(paths: ScanPaths) -> None:
    backend = Scripted(paths, per_job=2)
    ids = backend.hand_over(1, 2)
    backend.says({"0001_1": Seen("running")})
    backend.copy("v0001.1")
    seen = backend.poll(ids)
    assert seen["v0001.1"].state == "running"
    assert seen["v0002.1"] == Observation("queued", message="Waits for its turn in the job that runs v0001.")


def test_a_job_that_the_engine_no_longer_knows_is_lost_after_a_while_and_not_before(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    ids = backend.hand_over(1)
    backend.says({})
    assert backend.one(ids) is None
    backend._watched["v0001.1"].missing = time.time() - 100
    backend.says({}, at=time.time() + 0.5)
    seen = backend.one(ids)
    assert seen is not None
    assert (seen.state, seen.message) == ("lost", "Lost: Engine no longer knows this job and no result came in 1 min 40 s.")


def test_while_the_engine_is_silent_no_job_is_lost_that_was_sent_after_its_last_answer(
    paths: ScanPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "LOST_POLLS", 0)
    backend = Scripted(paths)
    backend.says({})
    ids = backend.hand_over(1)
    assert [backend.one(ids), backend.one(ids)] == [None, None]
    backend.says({}, at=time.time() + 60)
    assert getattr(backend.one(ids), "state", None) == "lost"


def test_times_that_cannot_be_are_none(paths: ScanPaths) -> None:
    backend = Scripted(paths, resources=Resources(gpus=1))
    ids = backend.hand_over(1)
    backend.says({"0001_1": Seen("running")})
    copy = backend.copy("v0001.1", at=1000.0)
    for started in ("NaN", "1e308", "-5", "true", '"x"'):
        copy.about.write_text(f'{{"started": {started}}}')
        os.utime(copy.about, (1000.0, 1000.0))
        assert getattr(backend.one(ids), "started", None) in (1.0, 1000.0)
    paths.job("v0001.1").result.write_text(result("v0001.1", started=-1e308, ended=1e308))
    seen = backend.one(ids)
    assert seen is not None
    assert (seen.state, seen.started, seen.ended, seen.gpu_s) == ("done", None, None, 0.0)


def test_of_ten_thousand_waiting_jobs_few_files_are_looked_at(paths: ScanPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Scripted(paths)
    ids = {f"v{n:04d}.1": f"1_{n}" for n in range(1, 10_001)}
    backend.says({f"1_{n}": Seen("queued") for n in range(1, 10_001)})
    before = backend._inquiry.answer
    looks: list[str] = []
    monkeypatch.setattr(backend, "_look", lambda key, task: looks.append(key))
    backend.poll(ids)
    assert len(looks) <= 100
    for _ in range(99):
        backend.poll(ids)
    assert set(looks) == set(ids)
    backend.says({f"1_{n}": Seen("queued" if n > 7 else "running") for n in range(1, 10_001)})
    assert backend._chosen(ids, before)[:7] == [f"v{n:04d}.1" for n in range(1, 8)]


# ending ---------------------------------------------------------------------------------


def test_an_order_to_end_is_given_once_and_again_hard_if_the_job_stays(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    ids = backend.hand_over(1)
    backend.says({"0001_1": Seen("running")})
    for _ in range(3):
        backend.cancel(ids)
        backend.poll(ids)
    assert backend.ended == [(["0001_1"], False)]
    assert paths.job("v0001.1").stop.exists()
    backend._endings.hard_s = 0.0
    for _ in range(3):
        backend.poll(ids)
    assert backend.ended[1:] == [(["0001_1"], True)]


def test_one_job_of_a_task_is_stopped_by_its_file_and_the_others_go_on(paths: ScanPaths) -> None:
    backend = Scripted(paths, per_job=3)
    ids = backend.hand_over(1, 2, 3)
    paths.job("v0003.1").result.write_text(result("v0003.1"))
    backend.cancel({"v0001.1": "0001_1"})
    backend.poll(ids)
    assert backend.ended == []
    backend.cancel({"v0001.1": "0001_1", "v0002.1": "0001_1"})
    backend.poll(ids)
    assert backend.ended == [(["0001_1"], False)]


def test_an_engine_that_is_silent_is_told_to_end_jobs_when_it_is_back(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    ids = backend.hand_over(1)
    backend.refuses = Unreachable("no answer")
    backend.cancel(ids)
    backend.poll(ids)
    assert backend.ended == []
    backend.refuses = EngineError("scancel cannot be started")
    backend._endings._due = 0.0
    backend.poll(ids)
    backend.refuses = None
    backend._endings._due = 0.0
    backend.poll(ids)
    assert backend.ended == [(["0001_1"], False)]


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        (71, "node", "does not see the scan's folder"),
        (73, "image", "image"),
        (74, "image", "papermill"),
        (75, "node", "GPU"),
        (137, "node", "signal 9"),
    ],
)
def test_exit_codes_are_said_in_words(code: int, reason: str, words: str) -> None:
    assert exit_words(code)[0] == reason
    assert words in exit_words(code)[1]


def test_a_cancelled_job_that_the_engine_forgets_never_started(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    ids = backend.hand_over(1)
    backend.grace_s = 0.0
    backend.cancel(ids)
    backend.says({}, at=time.time() - 60)  # asked before it was cancelled: nothing follows from it
    assert backend.one(ids) is None
    assert backend.one(ids) is None
    backend.says({}, at=time.time() + 60)
    seen = backend.one(ids)
    assert seen is not None
    assert (seen.state, seen.reason) == ("cancelled", "user")
