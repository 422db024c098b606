"""The process that kernels are forked from, asked as a worker asks it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyter_gridgpu.worker.packing import pack
from jupyter_gridgpu.worker.prefork import parent_client, parent_starter, provisioner
from tests.kit import eventually

THREADED = """
import threading, time
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
"""


class Asked:
    """A prepared parent, and kernels asked of it."""

    def __init__(self, folder: Path, *steps: Any) -> None:
        pack(folder / "worker.pyz")
        self.jobs = folder / "jobs"
        self.env = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(folder / "worker.pyz"), str(folder / "lib")]),
        }
        for name in parent_client.KERNEL_VARIABLES:
            self.env.pop(name, None)
        plan = {"actions": list(steps), "flags": [], "skip": []}
        self.parent = parent_starter.start_parent(
            "python3", [sys.executable], self.env, f"{self.jobs}{os.sep}", plan
        )
        parent_client.current.parent = self.parent
        self.process = psutil.Process(self.parent.pid)

    def kernel(self, connection: str = "none", **env: str) -> provisioner.ForkedKernel:
        words = [sys.executable, "-m", "ipykernel_launcher", "-f", connection]
        return provisioner.fork_kernel(
            words, {**self.env, "GRIDGPU_JOB": f"{self.jobs}/v0001.1", **env}, "/"
        )

    def close(self) -> None:
        parent_client.current.parent = None
        self.parent.channel.close()
        self.parent._process.wait(timeout=60)


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    made = Asked(tmp_path)
    yield made
    made.close()


def close(kernel: provisioner.ForkedKernel) -> None:
    os.close(kernel._guard)


def test_a_kernel_is_found_by_its_job_and_leads_a_session(asked: Asked) -> None:
    kernel = asked.kernel(str(asked.jobs.parent / "k.json"))
    process = psutil.Process(kernel.pid)
    eventually(lambda: process.environ().get("GRIDGPU_JOB") == f"{asked.jobs}/v0001.1")
    eventually(lambda: os.getsid(kernel.pid) == kernel.pid)
    assert process.ppid() == asked.parent.pid
    assert asked.process.environ()["GRIDGPU_JOB"].startswith(f"{asked.jobs}/")
    close(kernel)
    eventually(lambda: kernel.poll() is not None)


def test_a_thousand_forks_leave_nothing_behind(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernels end at once, since their worker seems to be dead."""
    close(asked.kernel())
    eventually(lambda: not asked.process.children())
    before, own = (
        (asked.process.num_fds(), asked.process.memory_info().rss),
        psutil.Process().num_fds(),
    )
    for _ in range(1000):
        close(asked.kernel())
    eventually(lambda: not asked.process.children(), what="no zombies")
    assert asked.process.num_fds() == before[0]
    assert asked.process.memory_info().rss < before[1] + 5 * 2**20
    assert psutil.Process().num_fds() == own


def test_it_ends_when_nobody_can_ask_any_more(asked: Asked) -> None:
    kernel = asked.kernel(str(asked.jobs.parent / "k.json"))
    asked.close()
    assert kernel.poll() is None, "kernels go on without it"
    kernel.kill()
    eventually(lambda: kernel.poll() is not None)
    close(kernel)


def test_a_dead_parent_is_an_error_at_once(asked: Asked) -> None:
    asked.process.kill()
    asked.parent._process.wait()
    with pytest.raises(RuntimeError, match=r"cannot be asked|does not answer"):
        asked.kernel()


def test_a_kernel_with_another_environment_is_not_forked(asked: Asked) -> None:
    with pytest.raises(
        RuntimeError, match=r"differs from that of the first job in OMP_NUM_THREADS\."
    ):
        asked.kernel(OMP_NUM_THREADS="17")


def test_a_module_whose_import_starts_threads_is_left_out_and_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "busy.py").write_text(THREADED)
    (tmp_path / "lib" / "wrong.py").write_text("1 / 0")
    (tmp_path / "lib" / "calm.py").write_text("")
    made = Asked(tmp_path, *(["import", name, []] for name in ("busy", "wrong", "none", "calm")))
    close(made.kernel())
    threads = made.process.num_threads()
    made.close()
    said = capfd.readouterr().err
    assert threads == 1
    threads_said = "its import starts threads, which a fork does not survive."
    assert said.count(f"Each kernel imports busy itself: {threads_said}") == 1
    not_imported = "was not imported once for all kernels"
    assert f"wrong {not_imported}: ZeroDivisionError: division by zero" in said
    assert f"none {not_imported}: ModuleNotFoundError" in said
    assert "calm" not in said


def test_workers_may_ask_at_the_same_time(asked: Asked) -> None:
    kernels: list[provisioner.ForkedKernel] = []
    workers = [threading.Thread(target=lambda: kernels.append(asked.kernel())) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len({kernel.pid for kernel in kernels}) == 8
    for kernel in kernels:
        close(kernel)
