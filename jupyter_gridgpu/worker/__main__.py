"""`worker.pyz JOB.json` runs one job; `worker.pyz nursery` forks one for every line on stdin."""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> int:
    if sys.argv[1:] == ["nursery"]:
        from jupyter_gridgpu.worker.nursery import serve

        serve(sys.stdin.buffer)
        return 0
    if len(sys.argv) != 2:
        print("use: worker.pyz JOB.json", file=sys.stderr)
        return 2
    from jupyter_gridgpu.worker.job import run_job

    return run_job(Path(sys.argv[1]))


if __name__ == "__main__":
    sys.exit(main())
