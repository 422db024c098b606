"""`worker.pyz [--together N] JOB.json...` runs jobs, N at a time; `nursery` forks one for every line on stdin; `launch JOB.json`
claims one and starts its container; `grid N` runs a task of a batch that came as a sandbox."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser("worker.pyz")
    parser.add_argument("--together", type=int, default=1, metavar="N")
    parser.add_argument("jobs", nargs="+", metavar="JOB.json")
    asked = parser.parse_args()
    if asked.jobs == ["nursery"]:
        from jupyter_gridgpu.worker.launch.fork_server import serve

        serve(sys.stdin.buffer)
        return 0
    if asked.jobs[0] == "launch":
        from jupyter_gridgpu.worker.launch.container import launch

        return launch(Path(asked.jobs[1]))
    if asked.jobs[0] == "grid":
        from jupyter_gridgpu.worker.launch.grid_task import run_task

        return run_task(int(asked.jobs[1]))
    return _run([Path(job) for job in asked.jobs], asked.together)


def _run(specs: list[Path], together: int) -> int:
    """Run jobs, if this Python can; if not, say on stderr, which is the first job's log by now, and to the others, why."""
    from jupyter_gridgpu.worker.image import LACKING, lacking

    if words := lacking():
        print(words, file=sys.stderr)
        for spec in specs[1:]:
            with (
                suppress(OSError),
                open(spec.with_name("launch.log"), "a", encoding="utf-8") as log,
            ):
                log.write(f"{words}\n")
        return LACKING
    if len(specs) > 1:
        from jupyter_gridgpu.worker.launch.several_jobs import run_several

        return run_several(specs, together)
    from jupyter_gridgpu.worker.job import run_job

    return run_job(specs[0])


if __name__ == "__main__":
    sys.exit(main())
