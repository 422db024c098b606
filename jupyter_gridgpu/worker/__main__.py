"""The command line of `worker.pyz`.

worker.pyz [--together N] JOB.json ...    run jobs, N at a time
worker.pyz nursery                        fork a worker for each line on standard input
worker.pyz launch JOB.json                claim a job and start its container
worker.pyz grid N                         run task N of a batch that came as a sandbox
"""

from __future__ import annotations

import argparse
import signal
import sys
from contextlib import suppress
from pathlib import Path


def main() -> int:
    """Run the command that the command line names and return its exit code."""
    restore_sigint()
    parser = argparse.ArgumentParser("worker.pyz")
    parser.add_argument("--together", type=int, default=1, metavar="N")
    parser.add_argument("jobs", nargs="+", metavar="JOB.json")
    arguments = parser.parse_args()
    command, *operands = arguments.jobs
    # Each command imports what it needs: `launch` must not wait until papermill is imported.
    if command == "nursery" and not operands:
        from jupyter_gridgpu.worker.launch.fork_server import serve

        serve(sys.stdin.buffer)
        return 0
    if command == "launch":
        from jupyter_gridgpu.worker.launch.container import claim_and_launch

        return claim_and_launch(Path(operands[0]))
    if command == "grid":
        from jupyter_gridgpu.worker.launch.grid_task import run_task

        return run_task(int(operands[0]))
    return _run_jobs([Path(job) for job in arguments.jobs], arguments.together)


def restore_sigint() -> None:
    """Give SIGINT the handler with which Python usually starts.

    Scripts start commands in the background (`gridgpu run ... &`) with SIGINT ignored, and so do
    nohup and cron. A process that is started there also ignores SIGINT, even after exec. ipykernel
    sets its own handler, but other kernels may not. Such a kernel could never be interrupted, and
    a variant that is stopped would lose its output.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _run_jobs(specs: list[Path], together: int) -> int:
    """Run jobs and return the exit code.

    If this Python cannot run a notebook, write the reason into the log of each job.
    """
    from jupyter_gridgpu.store.opener import append_plain
    from jupyter_gridgpu.worker.image import EXIT_NO_PAPERMILL, missing_requirement

    missing = missing_requirement()
    if missing:
        # The launcher has made standard error the log of the first job.
        print(missing, file=sys.stderr)
        for spec in specs[1:]:
            with suppress(OSError):
                append_plain(spec.with_name("launch.log"), f"{missing}\n".encode())
        return EXIT_NO_PAPERMILL
    # A single job runs in this very process, which gets the batch system's signals.
    if len(specs) > 1:
        from jupyter_gridgpu.worker.launch.several_jobs import run_several

        return run_several(specs, together)
    from jupyter_gridgpu.worker.job import run_job

    return run_job(specs[0])


if __name__ == "__main__":
    sys.exit(main())
