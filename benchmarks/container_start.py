"""How much longer a job takes in a container.

    python benchmarks/container_start.py [--runs 5] IMAGE...

Three things are timed: the runtime alone, a job without a container, and the same job in one. The
notebook does nothing. The column `adds` is how much longer a job in the image takes,
without the start of the runtime itself. Both jobs run `worker.sh`, as in a batch system.
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
from jupyter_gridgpu.images.check import choose_runtime
from jupyter_gridgpu.model.resources import RUNTIMES
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.request import plan
from jupyter_gridgpu.testing.examples import notebook_json

Command = Sequence[str | Path]


def median_s(runs: int, command_of: Callable[[int], Command]) -> float:
    """Return the median time in seconds of `runs` commands; `command_of` gets the run, from 0."""
    taken = []
    for run in range(runs):
        # Made before the clock starts, since it writes files.
        command = command_of(run)
        start = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.monotonic() - start)
    return statistics.median(taken)


def new_job(image: str | None, runtime: str, notebook: Path) -> Callable[[int], Command]:
    """Make a scan; return a function that makes a new job of it and returns the job's command."""
    handle = client.create(plan(notebook, "x = [1]", Options(image=image, runtime=runtime)))

    def command_of(run: int) -> Command:
        # A job with a result does nothing, so each run needs a job of its own.
        key = f"v0001.{run + 1}"
        write_spec(Job(key, handle.paths.job(key), job_spec(handle.scan, key, {"x": 1})), {})
        return ["sh", handle.paths.launcher, handle.folder, key]

    return command_of


def measure_image(given: argparse.Namespace, name: str, notebook: Path, without_s: float) -> None:
    """Time one image and print a line; `without_s` is what a job without a container takes."""
    image = images.parse(name)
    runtime, program = choose_runtime(image, images.runtimes(image, given.runtime))
    folder = str(notebook.parent)
    command = [
        *runtime.options(program, [Bind(folder, folder)], False, folder),
        *runtime.inside(image, ["-c", "pass"]),
    ]
    start_s = median_s(given.runs, lambda run: command)
    inside_s = median_s(given.runs, new_job(name, given.runtime, notebook))
    adds_s = inside_s - without_s - start_s
    print(
        f"{name[-40:]:<40} {program:<12}"
        f" {start_s:9.2f} {inside_s:6.2f} {without_s:8.2f} {adds_s:6.2f}"
    )


def main() -> None:
    """Time a job without a container, and then each image."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", nargs="+", metavar="IMAGE")
    parser.add_argument(
        "--runtime", choices=[name for name in RUNTIMES if name != "none"], default="auto"
    )
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GRIDGPU_HOME"] = f"{folder}/home"
        Path(folder, "home").mkdir()
        notebook = Path(folder, "empty.ipynb")
        notebook.write_text(notebook_json("x = 1", "x"))
        # The time without a container is the same for all images.
        without_s = median_s(given.runs, new_job(None, "auto", notebook))
        print(
            f"{'image':<40} {'runtime':<12}"
            f" {'its start':>9} {'job':>6} {'without':>8} {'adds':>6}   (seconds)"
        )
        for name in given.images:
            measure_image(given, name, notebook, without_s)


if __name__ == "__main__":
    main()
