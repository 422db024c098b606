"""How much processor time a scan of many variants takes: runner, fold, and `show --json`.

    python benchmarks/many_variants.py        # 1,000 and 10,000 variants, 100 readings each
    python benchmarks/many_variants.py --variants 10000 --seconds 60

The scan has variants that have ended after READINGS readings of two metrics. The journal has
REPORTS lines about the metrics of each. BUSY jobs still run: their claims name this process, which
appends a reading to each of their files every second, as the workers of real jobs would. The runner
is the real one. The processor time of its start, in which it folds the journal, is printed apart.
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
from jupyter_gridgpu.model.numbers import rounded
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.request import plan
from jupyter_gridgpu.store import fold_cache
from jupyter_gridgpu.store.journal import JournalWriter
from jupyter_gridgpu.store.paths import write_json
from jupyter_gridgpu.store.process import this_process
from jupyter_gridgpu.testing.examples import notebook_json

READINGS = 100  # of each variant that has ended
REPORTS = 5  # lines of the journal about the readings of one variant
METRICS = ("loss", "acc")
BUSY = 100  # jobs that still run
SHOWN = 16  # values of a metric that one line of the journal has at most
Items = list[tuple[str, dict[str, Any]]]


def variant_events(number: int, ended: bool) -> Items:
    """Return what the journal says about one variant; `number` counts from 0."""
    variant = f"v{number + 1:04d}"
    key = f"{variant}.1"
    params = {"lr": 1e-4 * (1 + number % 97), "seed": 0}
    proposed = {"variant": variant, "point": number, "repeat": 0, "params": params, "attrs": {}}
    items: Items = [
        (events.VARIANT_PROPOSED, proposed),
        (events.JOB_INTENDED, {"key": key}),
        (events.JOB_SUBMITTED, {"key": key, "engine_id": key}),
        (events.JOB_OBSERVED, {"key": key, "state": "running", "started": 1.0 * number}),
    ]
    if not ended:
        return items
    for report in range(1, REPORTS + 1):
        items.append((events.JOB_REPORTED, _report(key, report * READINGS // REPORTS, number)))
    items.append((events.JOB_OBSERVED, {"key": key, "state": "done", "ended": number + 20.0}))
    return items


def _report(key: str, step: int, number: int) -> dict[str, Any]:
    """Return the data of one `job.reported` event."""
    count = min(READINGS // REPORTS, SHOWN)
    new = [rounded(1 / (step + index + number % 7)) for index in range(count)]
    metrics = {name: [step, 0.0, 1.0, new] for name in METRICS}
    return {"key": key, "step": step, "steps": READINGS, "metrics": metrics}


def fill(handle: ScanHandle, variants: int, busy: int) -> list[Path]:
    """Write journal and files of a scan; return the metrics files of the jobs that run."""
    writer = JournalWriter(handle.paths.journal, 0, 1)
    writer.append([(events.RUNNER_STARTED, {})])
    for number in range(variants + busy):
        writer.append(variant_events(number, ended=number < variants))
    if not busy:
        writer.append([(events.SCAN_FINISHED, {"state": "done"})])
    size = writer.size()
    writer.close()
    if not busy:
        # The runner leaves a cached fold when a scan has ended.
        handle.refresh()
        fold_cache.write(handle.paths, handle.view, size)
    return [_claim_job(handle, f"v{variants + number + 1:04d}.1") for number in range(busy)]


def _claim_job(handle: ScanHandle, key: str) -> Path:
    """Write the files of a job that seems to run in this process; return its metrics file."""
    job = handle.paths.job(key)
    copy = job.copy("0123abcd")
    copy.folder.mkdir(parents=True)
    write_json(job.spec, {"key": key, "env": {}})
    write_json(job.claim, {"copy": copy.folder.name, **this_process().to_json()})
    write_json(copy.about, {})
    # A running job whose notebook is there costs the runner one look at a process, and no disk.
    copy.notebook.write_text("{}")
    return copy.metrics


def make_scan(variants: int, busy: int, folder: Path) -> tuple[ScanHandle, list[Path]]:
    """Make a scan; return it and the metrics files of its jobs that run."""
    notebook = folder / "train.ipynb"
    notebook.write_text(notebook_json("lr = 0.1\nseed = 0", "acc = 1 - lr"))
    options = Options(
        maximize="acc",
        trials=variants + busy,
        sampler="random",
        parallel=max(busy, 1),
        name=f"n{variants}-{busy}",
    )
    handle = client.create(plan(notebook, "lr = loguniform(1e-4, 1e-2)\nseed = 0", options))
    return handle, fill(handle, variants, busy)


def measure_runner(variants: int, seconds: float, folder: Path) -> dict[str, float]:
    """Run the real runner while BUSY jobs report every second."""
    handle, files = make_scan(variants, BUSY, folder)
    runner = subprocess.Popen([sys.executable, "-m", "jupyter_gridgpu.runner", str(handle.folder)])
    process = psutil.Process(runner.pid)
    first_busy = f"v{variants + 1:04d}"
    handle.refresh()
    # When the runner has read the first report, it has folded the journal.
    while not handle.view.variants[first_busy].metrics:
        append_readings(files, 1)
        time.sleep(0.2)
        handle.refresh()
    started_s = sum(process.cpu_times()[:2])
    begun = time.perf_counter()
    step = 1
    # What the runner took until now is its start; only the steady state is measured.
    while time.perf_counter() - begun < seconds:
        step += 1
        append_readings(files, step)
        time.sleep(1)
    spent_s = sum(process.cpu_times()[:2]) - started_s
    wall_s = time.perf_counter() - begun
    memory_mb = process.memory_info().rss / 2**20
    # Killed, since its jobs never end.
    runner.kill()
    runner.wait()
    return {"start_s": started_s, "core_%": 100 * spent_s / wall_s, "memory_mb": memory_mb}


def append_readings(files: list[Path], step: int) -> None:
    """Append a reading to the metrics file of each job that runs."""
    metrics = dict.fromkeys(METRICS, 1 / step)
    line = json.dumps({"t": round(time.time(), 3), "s": step, "of": 100_000, "m": metrics})
    for path in files:
        with open(path, "a", encoding="utf-8") as file:
            file.write(line + "\n")


def measure_readers(variants: int, folder: Path) -> dict[str, float]:
    """Print a scan that has ended, then fold its journal; each in a process of its own."""
    handle, _ = make_scan(variants, 0, folder)
    python = [sys.executable]
    printed_s = _processor_s([*python, "-m", "jupyter_gridgpu.cli", "show", handle.name, "--json"])
    # Without the cached fold the journal is folded. Short scans have no cached fold.
    handle.paths.fold.unlink(missing_ok=True)
    fold = "import sys; from jupyter_gridgpu.client import open_scan; open_scan(sys.argv[1])"
    nothing = "import sys; import jupyter_gridgpu.client"
    # The start of Python and the imports are no part of the fold.
    start_s = _processor_s([*python, "-c", nothing, handle.name])
    folded_s = _processor_s([*python, "-c", fold, handle.name]) - start_s
    journal_mb = handle.paths.journal.stat().st_size / 1e6
    return {"fold_s": folded_s, "show_s": printed_s, "journal_mb": journal_mb}


def _processor_s(command: list[str]) -> float:
    """Return the processor seconds that a command takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure a scan for each number of variants that was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--variants", type=int, nargs="*", default=[1000, 10_000])
    parser.add_argument("--seconds", type=float, default=30)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GRIDGPU_HOME"] = f"{folder}/scans"
        for variants in given.variants:
            found = measure_readers(variants, Path(folder))
            found.update(measure_runner(variants, given.seconds, Path(folder)))
            print(f"{variants:,} variants, {variants * READINGS:,} readings:", flush=True)
            for name, value in found.items():
                print(f"  {name:<12} {value:8.2f}", flush=True)


if __name__ == "__main__":
    main()
