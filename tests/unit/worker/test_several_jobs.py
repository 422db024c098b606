"""Several jobs in one process of an engine, as the launcher starts them; real kernels."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyter_gridgpu import client
from jupyter_gridgpu.backends.base import Job, job_spec, write_spec
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.request import plan
from jupyter_gridgpu.store.paths import read_json
from jupyter_gridgpu.testing.examples import notebook_json
from jupyter_gridgpu.worker import disk_retry
from jupyter_gridgpu.worker.launch import several_jobs
from jupyter_gridgpu.worker.prefork import parent_starter
from tests.kit import eventually
from tests.system.helpers import processes_with

CELLS = (
    "import os, pathlib, time\n"
    "open(pathlib.Path(FOLDER) / 'order', 'a').write(f'begin {x}\\n')\n"
    "print('begin', x, flush=True)",
    "while hold and not (pathlib.Path(FOLDER) / 'gate').exists():\n    time.sleep(0.05)",
    "open(pathlib.Path(FOLDER) / 'order', 'a').write(f'end {x}\\n')",
)


class Node:
    """A scan's folder, and the launcher run on it as an engine runs it."""

    def __init__(self, tmp_path: Path, **changes: Any) -> None:
        """Make the folder; `changes` are fields of the spec, as a batch system would take them."""
        source = tmp_path / "train.ipynb"
        source.write_text(
            notebook_json(
                "x = 0\nhold = False",
                *(cell.replace("FOLDER", repr(str(tmp_path))) for cell in CELLS),
            )
        )
        found = plan(source, "x = [1, 2, 3]\nhold = False", Options())
        found = replace(found, scan=replace(found.scan, **changes))
        (tmp_path / "scans").mkdir()
        self.handle = client.create(found)
        self.paths = self.handle.paths
        self.gate, self._order = tmp_path / "gate", tmp_path / "order"
        self._started: list[subprocess.Popen[bytes]] = []

    def write(self, *numbers: int, hold: bool = False, **more: Any) -> list[str]:
        keys = [f"v{number:04d}.1" for number in numbers]
        for number, key in zip(numbers, keys, strict=True):
            spec = {**job_spec(self.handle.scan, key, {"x": number, "hold": hold}), **more}
            write_spec(Job(key, self.paths.job(key), spec), {})
        return keys

    def start(
        self, *keys: str, preexec: Callable[[], None] | None = None
    ) -> subprocess.Popen[bytes]:
        command: list[str | Path] = ["sh", self.paths.launcher, self.paths.folder, *keys]
        self._started.append(subprocess.Popen(command, preexec_fn=preexec))
        return self._started[-1]

    def start_forked(self, key: str, preexec: Callable[[], None]) -> subprocess.Popen[bytes]:
        """Start a fork server and give it a job; it ends when its input is closed."""
        command: list[str | Path] = [sys.executable, self.paths.worker, "nursery"]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, preexec_fn=preexec)
        self._started.append(server)
        assert server.stdin is not None
        server.stdin.write(json.dumps({"job": str(self.paths.job(key).spec)}).encode() + b"\n")
        server.stdin.flush()
        return server

    def run(self, *keys: str) -> int:
        return self.start(*keys).wait(timeout=100)

    def order(self) -> list[str]:
        return self._order.read_text().splitlines() if self._order.exists() else []

    def result(self, key: str) -> Any:
        return read_json(self.paths.job(key).result)

    def close(self) -> None:
        self.gate.touch()
        for process in self._started:
            if process.stdin is not None:
                process.stdin.close()
            process.terminate()
            process.wait(timeout=60)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path)
    yield made
    made.close()


def test_jobs_run_one_after_another(node: Node) -> None:
    assert node.run(*node.write(1, 2)) == 0
    assert node.order() == ["begin 1", "end 1", "begin 2", "end 2"]
    assert [node.result(key)["state"] for key in ("v0001.1", "v0002.1")] == ["done", "done"]


def test_jobs_run_side_by_side_where_they_share_a_gpu(tmp_path: Path) -> None:
    node = Node(tmp_path, per_gpu=2)
    process = node.start(*node.write(1, 2, 3, hold=True))
    eventually(lambda: len(node.order()) == 2)
    assert sorted(node.order()) == ["begin 1", "begin 2"]
    node.gate.touch()
    assert process.wait(timeout=100) == 0
    assert sorted(node.order()[2:]) == ["begin 3", "end 1", "end 2", "end 3"]
    node.close()


def test_a_signal_ends_the_jobs_that_run_and_starts_no_more(node: Node) -> None:
    first, second = node.write(1, 2, hold=True)
    process = node.start(first, second)
    eventually(lambda: node.order() == ["begin 1"])
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0
    assert (node.result(first)["state"], node.result(first)["reason"]) == ("failed", "preempted")
    (copy,) = node.paths.job(first).copies()
    assert "begin" in copy.notebook.read_text()
    assert node.result(second) is None
    assert node.order() == ["begin 1"]


def test_the_signal_before_the_engine_s_time_limit_is_a_timeout(node: Node) -> None:
    (key,) = node.write(1, hold=True)
    process = node.start(key)
    eventually(lambda: node.order() == ["begin 1"])
    process.send_signal(signal.SIGUSR1)
    assert process.wait(timeout=60) == 0
    assert node.result(key)["reason"] == "timeout"
    assert node.result(key)["message"].startswith("Reached the time limit of the queue in cell")


@pytest.mark.parametrize("notice_s", [3000.0, None])
def test_a_signal_that_a_limit_may_be_near_is_a_hint_to_each_job(
    node: Node, notice_s: float | None
) -> None:
    """With time enough the jobs go on, those that had not begun yet, too."""
    first, second = node.write(1, 2, hold=True, walltime_s=300, notice_s=notice_s)
    process = node.start(first, second)
    eventually(lambda: node.order() == ["begin 1"])
    process.send_signal(signal.SIGUSR1)
    if notice_s is not None:
        node.gate.touch()
    assert process.wait(timeout=60) == 0
    ends = [node.result(key)["state"] for key in (first, second)]
    assert ends == (["done", "done"] if notice_s else ["failed", "failed"])


def test_a_job_that_the_engine_may_start_again_is_not_over_when_it_is_preempted(node: Node) -> None:
    (key,) = node.write(1, hold=True, requeues=True)
    process = node.start(key)
    eventually(lambda: node.order() == ["begin 1"])
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=60)
    (copy,) = node.paths.job(key).copies()
    assert node.result(key) is None
    assert json.loads(copy.result.read_text())["reason"] == "preempted"
    node.gate.touch()
    assert node.run(key) == 0
    assert node.result(key)["state"] == "done"


def test_a_job_that_has_its_result_is_not_run_again(node: Node) -> None:
    keys = node.write(1)
    assert [node.run(*keys), node.run(*keys)] == [0, 0]
    assert node.order() == ["begin 1", "end 1"]


def test_one_of_several_jobs_ends_when_its_stop_file_is_there(node: Node) -> None:
    first, second = node.write(1, 2, hold=True)
    process = node.start(first, second)
    eventually(lambda: node.order() == ["begin 1"])
    node.paths.job(first).stop.touch()
    eventually(lambda: node.order() == ["begin 1", "begin 2"])
    assert (node.result(first)["state"], node.result(first)["reason"]) == ("failed", "user")
    node.gate.touch()
    assert process.wait(timeout=100) == 0
    assert node.result(second)["state"] == "done"


def test_a_job_whose_stop_file_is_there_before_it_starts_runs_no_cell(node: Node) -> None:
    (key,) = node.write(1)
    node.paths.job(key).stop.touch()
    assert node.run(key) == 0
    assert (node.result(key)["state"], node.result(key)["reason"], node.order()) == (
        "failed",
        "user",
        [],
    )


def ignore_sigint() -> None:
    """What a shell does to a command that a script starts in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def ignores_sigint(pid: int) -> bool:
    (line,) = re.findall(r"SigIgn:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
    return bool(int(line, 16) & 1 << (signal.SIGINT - 1))


def workers_below(process: subprocess.Popen[bytes]) -> list[int]:
    """Return the workers that a process forked, or the process if it is a worker itself."""
    forked = []
    for child in psutil.Process(process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has just ended
            if "worker.pyz" in " ".join(child.cmdline()):
                forked.append(child.pid)
    return forked or [process.pid]


@pytest.mark.parametrize(
    ("way", "prefork"), [("one job", False), ("several jobs", True), ("fork server", True)]
)
def test_a_worker_started_in_the_background_and_its_kernel_can_be_interrupted(
    node: Node, way: str, prefork: bool
) -> None:
    first, second = node.write(1, 2, hold=True, prefork=prefork)
    if way == "fork server":
        process = node.start_forked(first, preexec=ignore_sigint)
    elif way == "several jobs":
        process = node.start(first, second, preexec=ignore_sigint)
    else:
        process = node.start(first, preexec=ignore_sigint)
    eventually(lambda: node.order() == ["begin 1"])
    assert not [pid for pid in workers_below(process) if ignores_sigint(pid)]
    node.paths.job(first).stop.touch()
    eventually(lambda: node.result(first) is not None)
    (copy,) = node.paths.job(first).copies()
    assert node.result(first)["reason"] == "user"
    assert "KeyboardInterrupt" in copy.notebook.read_text()


def test_a_killed_process_takes_its_jobs_and_their_kernels_along(node: Node) -> None:
    keys = node.write(1, 2, hold=True)
    process = node.start(*keys)
    eventually(lambda: node.order() == ["begin 1"])
    process.kill()
    process.wait()
    eventually(
        lambda: not processes_with(str(node.paths.job(keys[0]).folder)),
        what="no process of the job is left",
    )


def test_a_node_that_does_not_see_the_folder_says_so(
    node: Node, capfd: pytest.CaptureFixture[str]
) -> None:
    code = subprocess.run(
        ["sh", node.paths.launcher, node.paths.folder / "none", "v0001.1"], check=False
    ).returncode
    assert code == 71
    assert "does not see the scan's folder" in capfd.readouterr().err


def test_a_copy_says_where_it_runs(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "17")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-1")
    (key,) = node.write(1)
    node.run(key)
    (copy,) = node.paths.job(key).copies()
    about = json.loads(copy.about.read_text())
    assert (about["gpus"], about["engine"]["SLURM_ARRAY_JOB_ID"]) == ("GPU-1", "17")
    assert about["host"]


NO_PARENT = parent_starter.ParentStarter(print)


def test_a_signal_reaches_the_jobs_that_run_and_no_other_process() -> None:
    """Two jobs have just ended, so their process numbers are free; one job runs."""
    task = several_jobs._Task([], 3, NO_PARENT)
    ended = [subprocess.Popen(["true"]) for _ in range(2)]
    for process in ended:
        process.wait()
    with subprocess.Popen(["sleep", "60"]) as job, subprocess.Popen(["sleep", "60"]) as bystander:
        try:
            task._running |= {process.pid for process in (*ended, job)}
            task._pass_on(signal.SIGTERM, None)
            assert job.wait(timeout=30) == -signal.SIGTERM
            assert bystander.poll() is None
        finally:
            job.kill()
            bystander.kill()


def test_a_signal_that_comes_while_a_job_is_made_ready_starts_it_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = several_jobs._Task([Path("job.json")], 1, NO_PARENT)
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    monkeypatch.setattr(
        signal, "pthread_sigmask", lambda how, numbers: task._pass_on(signal.SIGTERM, None)
    )
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("a job was started"))
    assert task.run() == 0


def test_a_result_waits_for_a_network_disk_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_retry, "RETRY_S", 0.0)
    answers = [errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOSPC, 0]

    def write() -> str:
        if number := answers.pop(0):
            raise OSError(number, os.strerror(number))
        return "written"

    assert disk_retry.retry_while_disk_is_away(write) == "written"
    answers[:] = [errno.ENOENT]
    with pytest.raises(FileNotFoundError):
        disk_retry.retry_while_disk_is_away(write)
