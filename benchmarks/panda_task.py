"""How many HTTP calls a PanDA task of many variants takes, and how long sending and polling take.

    python benchmarks/panda_task.py [VARIANTS]

The server is the stand-in that the tests use.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from jupyter_gridgpu.backends.base import Job, job_spec
from jupyter_gridgpu.backends.panda.backend import PandaBackend
from jupyter_gridgpu.errors import AnswerPending
from jupyter_gridgpu.images import launcher_text
from jupyter_gridgpu.model.scan import to_json
from jupyter_gridgpu.store.paths import ScanPaths, write_json
from jupyter_gridgpu.testing.examples import notebook_json, small_scan
from jupyter_gridgpu.worker.packing import pack

# The tests are no part of the package that is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def measure(variants: int, folder: Path) -> None:
    """Send a task to the stand-in of PanDA, poll it, and print how long both took."""
    from tests.engines.panda import FakePanda

    panda = FakePanda(folder / "panda")
    panda.hold = True  # jobs stay activated, and none runs
    os.environ.update(
        panda.environment(),
        GRIDGPU_HOME=str(folder),
        GRIDGPU_POLL_S="0.1",
        PANDA_CONFIG_ROOT=str(folder),
    )
    scan = small_scan(backend="panda")
    paths = write_scan(folder / "scan")
    backend = PandaBackend(scan, paths)
    keys = [f"v{number:04d}.1" for number in range(1, variants + 1)]
    jobs = [Job(key, paths.job(key), job_spec(scan, key, {"lr": 0.1})) for key in keys]
    send(backend, panda.calls, jobs)
    # Until each job waits for a free place, PanDA's answers are not yet complete.
    while sum(job.status == "activated" for job in panda.jedi.jobs.values()) < variants:
        time.sleep(0.1)
    poll(backend, panda.calls, {key: f"1_{number}" for number, key in enumerate(keys, 1)})
    backend.close()
    panda.stop()


def write_scan(folder: Path) -> ScanPaths:
    """Write the files of a scan that travel with jobs, and return where they are."""
    paths = ScanPaths(folder)
    folder.mkdir()
    write_json(paths.spec, to_json(small_scan(backend="panda")))
    paths.notebook.write_text(notebook_json("lr = 0.1", "print(lr)"))
    paths.launcher.write_text(launcher_text(small_scan()))
    pack(paths.worker)
    return paths


def send(backend: PandaBackend, calls: list[str], jobs: list[Job]) -> None:
    """Hand jobs over as a runner does, and print what that took."""
    began = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    runner_s = 0.0
    underway = True
    # The process that sends the batch leaves its answer on disk, so the runner asks again.
    while underway:
        used = time.thread_time()
        answers = backend.submit(jobs)
        runner_s += time.thread_time() - used
        underway = any(isinstance(answer, AnswerPending) for answer in answers.values())
        if underway:
            time.sleep(0.05)
    wall_s = time.monotonic() - began
    # Closing waits for the process, so that its time is counted.
    backend.close()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    child_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{len(jobs):,} variants sent: {len(calls)} calls, {wall_s:.1f} s by the clock;")
    print(
        f"  processor time: runner {runner_s:.2f} s (it writes a job.json for each variant),"
        f" the process that sends {child_s:.2f} s"
    )


def poll(backend: PandaBackend, calls: list[str], ids: dict[str, str]) -> None:
    """Poll until the first answer is here, and print what that took."""
    # The calls that sending took are printed already.
    calls.clear()
    began = time.monotonic()
    ticks = []
    while backend._inquiry.answer is None:
        tick = time.monotonic()
        backend.poll(ids)
        ticks.append(time.monotonic() - tick)
        time.sleep(0.02)
    wall_s = time.monotonic() - began
    print(
        f"a poll of them: {len(calls)} calls, {wall_s:.2f} s in a thread;"
        f" longest tick {max(ticks):.3f} s"
    )


def main() -> None:
    """Measure a task in a folder of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("variants", type=int, nargs="?", default=1000, metavar="VARIANTS")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(given.variants, Path(folder))


if __name__ == "__main__":
    main()
