"""What a container adds to a job: the runtime alone, a job without a container, a job in one.

    python benchmarks/container_start.py [--runs 5] IMAGE...

The notebook does nothing. `adds` is what a job in the image takes longer than the same job without, less the runtime's
own start; both run `worker.sh`, as a batch system does.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from jupyter_gridgpu import client, images
from jupyter_gridgpu.backends.base import Job, job_spec, write_spec
from jupyter_gridgpu.images.base import Bind
from jupyter_gridgpu.images.check import choose
from jupyter_gridgpu.model.resources import RUNTIMES
from jupyter_gridgpu.planning.request import Options, plan
from jupyter_gridgpu.testing.examples import notebook_json


def seconds(runs: int, work: Callable[[int], Sequence[str | Path]]) -> float:
    """The median time that a command takes."""
    taken = []
    for run in range(runs):
        command = work(run)
        start = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.monotonic() - start)
    return statistics.median(taken)


def job(image: str | None, runtime: str, notebook: Path) -> Callable[[int], Sequence[str | Path]]:
    """Return what runs a new job of a new scan."""
    handle = client.create(plan(notebook, "x = [1]", Options(image=image, runtime=runtime)))

    def command(run: int) -> Sequence[str | Path]:
        key = f"v0001.{run + 1}"
        write_spec(Job(key, handle.paths.job(key), job_spec(handle.scan, key, {"x": 1})), {})
        return ["sh", handle.paths.launcher, handle.folder, key]

    return command


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", nargs="+", metavar="IMAGE")
    parser.add_argument(
        "--runtime", choices=[name for name in RUNTIMES if name != "none"], default="auto"
    )
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GRIDGPU_HOME"] = f"{folder}/home"
        Path(folder, "home").mkdir()
        notebook = Path(folder, "empty.ipynb")
        notebook.write_text(notebook_json("x = 1", "x"))
        plain = seconds(asked.runs, job(None, "auto", notebook))
        print(
            f"{'image':<40} {'runtime':<12} {'its start':>9} {'job':>6} {'without':>8} {'adds':>6}   (seconds)"
        )
        for ref in asked.images:
            image = images.parse(ref)
            runtime, program = choose(image, images.runtimes(image, asked.runtime))
            command = runtime.command(program, image, [Bind(folder, folder)], False, ["-c", "pass"])
            start = seconds(asked.runs, lambda run, command=command: command)  # type: ignore[misc]
            inside = seconds(asked.runs, job(ref, asked.runtime, notebook))
            adds = inside - plain - start
            print(
                f"{ref[-40:]:<40} {program:<12} {start:9.2f} {inside:6.2f} {plain:8.2f} {adds:6.2f}"
            )


if __name__ == "__main__":
    main()
