"""`worker.pyz [--together N] JOB.json...` runs jobs, N at a time; `worker.pyz nursery` forks one for every line on stdin."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser("worker.pyz")
    parser.add_argument("--together", type=int, default=1, metavar="N")
    parser.add_argument("jobs", nargs="+", metavar="JOB.json")
    asked = parser.parse_args()
    if asked.jobs == ["nursery"]:
        from jupyter_gridgpu.worker.nursery import serve

        serve(sys.stdin.buffer)
        return 0
    specs = [Path(job) for job in asked.jobs]
    if len(specs) > 1:
        from jupyter_gridgpu.worker.several import run_several

        return run_several(specs, asked.together)
    from jupyter_gridgpu.worker.job import run_job

    return run_job(specs[0])


if __name__ == "__main__":
    sys.exit(main())
