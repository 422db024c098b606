"""What a scan of many variants takes: its runner's memory and processor time, the fold of its journal, `show --json`.

    python benchmarks/many_variants.py                       # 1,000 and 10,000 variants, 100 readings each
    python benchmarks/many_variants.py --variants 10000 --seconds 60

The scan's folder is filled with variants that have ended after READINGS readings of two metrics, of which the journal has
REPORTS lines each, and with BUSY jobs that still run: their claims name this process, which then appends a reading to each
of their files every second, as the workers of real jobs would. The runner is the real one, and everything it does is
counted from its start, but for the time it takes to fold the journal, which is told apart.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from jupyter_gridgpu import client
from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.model import events
from jupyter_gridgpu.model.numbers import shown
from jupyter_gridgpu.planning.request import Options, plan
from jupyter_gridgpu.store import fold_cache
from jupyter_gridgpu.store.journal import JournalWriter
from jupyter_gridgpu.store.paths import write_json
from jupyter_gridgpu.store.process import this_process
from jupyter_gridgpu.testing.examples import notebook_json

READINGS, REPORTS, METRICS, BUSY = 100, 5, ("loss", "acc"), 100
SHOWN = 16  # values of a metric that one line of the journal has at most
Items = list[tuple[str, dict[str, Any]]]


def life(number: int, ended: bool) -> Items:
    """What the journal says of one variant."""
    ident, key = f"v{number + 1:04d}", f"v{number + 1:04d}.1"
    params = {"lr": 1e-4 * (1 + number % 97), "seed": 0}
    proposed = {"variant": ident, "point": number, "repeat": 0, "params": params, "attrs": {}}
    items: Items = [
        (events.VARIANT_PROPOSED, proposed),
        (events.JOB_INTENDED, {"key": key}),
        (events.JOB_SUBMITTED, {"key": key, "engine_id": key}),
        (events.JOB_OBSERVED, {"key": key, "state": "running", "started": 1.0 * number}),
    ]
    if not ended:
        return items
    for report in range(1, REPORTS + 1):
        step = report * READINGS // REPORTS
        new = [shown(1 / (step + i + number % 7)) for i in range(min(READINGS // REPORTS, SHOWN))]
        metrics = {name: [step, 0.0, 1.0, new] for name in METRICS}
        items.append(
            (events.JOB_REPORTED, {"key": key, "step": step, "steps": READINGS, "metrics": metrics})
        )
    return [*items, (events.JOB_OBSERVED, {"key": key, "state": "done", "ended": number + 20.0})]


def fill(handle: ScanHandle, variants: int, busy: int) -> list[Path]:
    """Write the journal, and the files of the jobs that run; return where these report."""
    writer = JournalWriter(handle.paths.journal, 0, 1)
    writer.append([(events.RUNNER_STARTED, {})])
    for number in range(variants + busy):
        writer.append(life(number, ended=number < variants))
    if not busy:
        writer.append([(events.SCAN_FINISHED, {"state": "done"})])
    size = writer.size()
    writer.close()
    if not busy:  # as the runner does in the end
        handle.refresh()
        fold_cache.write(handle.paths, handle.view, size)
    return [_claimed(handle, f"v{variants + number + 1:04d}.1") for number in range(busy)]


def _claimed(handle: ScanHandle, key: str) -> Path:
    """The files of a job that runs in this process, for all that others can see."""
    copy = handle.paths.job(key).copy("0123abcd")
    copy.folder.mkdir(parents=True)
    write_json(handle.paths.job(key).spec, {"key": key, "env": {}})
    write_json(handle.paths.job(key).claim, {"copy": copy.folder.name, **this_process().to_json()})
    write_json(copy.about, {})
    copy.notebook.write_text("{}")
    return copy.metrics


def scan_of(variants: int, busy: int, folder: Path) -> tuple[ScanHandle, list[Path]]:
    notebook = folder / "train.ipynb"
    notebook.write_text(notebook_json("lr = 0.1\nseed = 0", "acc = 1 - lr"))
    name = f"n{variants}-{busy}"
    options = Options(
        maximize="acc", trials=variants + busy, sampler="random", parallel=max(busy, 1), name=name
    )
    handle = client.create(plan(notebook, "lr = loguniform(1e-4, 1e-2)\nseed = 0", options))
    return handle, fill(handle, variants, busy)


def measure_runner(variants: int, seconds: float, folder: Path) -> dict[str, float]:
    """Run the real runner while BUSY jobs report every second."""
    handle, files = scan_of(variants, BUSY, folder)
    runner = subprocess.Popen([sys.executable, "-m", "jupyter_gridgpu.runner", str(handle.folder)])
    process = psutil.Process(runner.pid)
    handle.refresh()
    while not any(
        handle.view.variants[f"v{variants + 1:04d}"].metrics
    ):  # it has read the first report
        _report(files, 1)
        time.sleep(0.2)
        handle.refresh()
    started, before, begun = (
        sum(process.cpu_times()[:2]),
        sum(process.cpu_times()[:2]),
        time.perf_counter(),
    )
    step = 1
    while time.perf_counter() - begun < seconds:
        step += 1
        _report(files, step)
        time.sleep(1)
    spent, wall = sum(process.cpu_times()[:2]) - before, time.perf_counter() - begun
    peak = process.memory_info().rss / 2**20
    runner.kill()
    runner.wait()
    return {"start_s": started, "core_%": 100 * spent / wall, "memory_mb": peak}


def _report(files: list[Path], step: int) -> None:
    line = json.dumps(
        {
            "t": round(time.time(), 3),
            "s": step,
            "of": 100_000,
            "m": dict.fromkeys(METRICS, 1 / step),
        }
    )
    for path in files:
        with open(path, "a", encoding="utf-8") as file:
            file.write(line + "\n")


def measure_readers(variants: int, folder: Path) -> dict[str, float]:
    """Print a scan that has ended, which its runner has folded, and fold its journal anew, each in a process of its own."""
    handle, _ = scan_of(variants, 0, folder)
    printed = _processor(
        [sys.executable, "-m", "jupyter_gridgpu.cli", "show", handle.name, "--json"]
    )
    handle.paths.fold.unlink(missing_ok=True)  # there is none for short scans
    fold = "import sys; from jupyter_gridgpu.client import open_scan; open_scan(sys.argv[1])"
    nothing = _processor(
        [
            sys.executable,
            "-c",
            fold.partition(";")[0] + "; import jupyter_gridgpu.client",
            handle.name,
        ]
    )
    folded = _processor([sys.executable, "-c", fold, handle.name]) - nothing
    return {
        "fold_s": folded,
        "show_s": printed,
        "journal_mb": handle.paths.journal.stat().st_size / 1e6,
    }


def _processor(command: list[str]) -> float:
    """Processor seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--variants", type=int, nargs="*", default=[1000, 10_000])
    parser.add_argument("--seconds", type=float, default=30)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GRIDGPU_HOME"] = f"{folder}/scans"
        for variants in given.variants:
            found = {
                **measure_readers(variants, Path(folder)),
                **measure_runner(variants, given.seconds, Path(folder)),
            }
            print(f"{variants:,} variants, {variants * READINGS:,} readings:", flush=True)
            for name, value in found.items():
                print(f"  {name:<12} {value:8.2f}", flush=True)


if __name__ == "__main__":
    main()
