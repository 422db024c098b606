"""A task of many variants over the stand-in of PanDA: how many HTTP calls sending and polling take, and how long.

python benchmarks/panda_task.py [VARIANTS]
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from jupyter_gridgpu.backends.base import Job, job_spec
from jupyter_gridgpu.backends.panda.backend import PandaBackend
from jupyter_gridgpu.errors import Underway
from jupyter_gridgpu.images import launcher
from jupyter_gridgpu.model.scan import to_json
from jupyter_gridgpu.store.paths import ScanPaths, write_json
from jupyter_gridgpu.testing.examples import notebook_json, small_scan
from jupyter_gridgpu.worker.packing import pack

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main(variants: int) -> None:
    from tests.engines.panda import FakePanda

    with tempfile.TemporaryDirectory() as folder:
        panda = FakePanda(Path(folder) / "panda")
        panda.hold = True
        os.environ.update(
            panda.environment(), GRIDGPU_HOME=folder, GRIDGPU_POLL_S="0.1", PANDA_CONFIG_ROOT=folder
        )
        backend = PandaBackend(small_scan(backend="panda"), _scan(Path(folder) / "scan"))
        keys = [f"v{number:04d}.1" for number in range(1, variants + 1)]
        _send(backend, panda.calls, [Job(key, backend._paths.job(key), _spec(key)) for key in keys])
        while (
            len([job for job in panda.jedi.jobs.values() if job.status == "activated"]) < variants
        ):
            time.sleep(0.1)
        _poll(backend, panda.calls, {key: f"1_{number}" for number, key in enumerate(keys, 1)})
        backend.close()
        panda.stop()


def _scan(folder: Path) -> ScanPaths:
    paths = ScanPaths(folder)
    folder.mkdir()
    write_json(paths.spec, to_json(small_scan(backend="panda")))
    paths.notebook.write_text(notebook_json("lr = 0.1", "print(lr)"))
    paths.launcher.write_text(launcher(small_scan()))
    pack(paths.worker)
    return paths


def _spec(key: str) -> dict[str, object]:
    return job_spec(small_scan(), key, {"lr": 0.1})


def _send(backend: PandaBackend, calls: list[str], jobs: list[Job]) -> None:
    began, before, cpu = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN), 0.0
    while True:
        used = time.thread_time()
        answers = backend.submit(jobs)
        cpu += time.thread_time() - used
        if not any(isinstance(answer, Underway) for answer in answers.values()):
            break
        time.sleep(0.05)
    took = time.monotonic() - began
    backend.close()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    child = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{len(jobs):,} variants sent: {len(calls)} calls, {took:.1f} s by the clock;")
    print(
        f"  processor time: runner {cpu:.2f} s (it writes a job.json for each variant), the process that sends {child:.2f} s"
    )


def _poll(backend: PandaBackend, calls: list[str], ids: dict[str, str]) -> None:
    calls.clear()
    began, ticks = time.monotonic(), []
    while backend._inquiry.answer is None:
        tick = time.monotonic()
        backend.poll(ids)
        ticks.append(time.monotonic() - tick)
        time.sleep(0.02)
    print(
        f"a poll of them: {len(calls)} calls, {time.monotonic() - began:.2f} s in a thread; longest tick {max(ticks):.3f} s"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
