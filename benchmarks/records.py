"""How long it takes to export, compare, verify, pack and show a finished scan of many variants.

    python benchmarks/records.py --variants 2000

The script writes two scans, in which each variant has 20 epochs of three metrics, an executed
notebook and provenance. Each printed line is one command from start to exit. Run the script with
two numbers of variants to see that the time grows no faster than the number.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_gridgpu import client
from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.model import events
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.request import plan
from jupyter_gridgpu.records.export import KINDS
from jupyter_gridgpu.store.journal import JournalWriter
from jupyter_gridgpu.store.manifest import ManifestWriter
from jupyter_gridgpu.store.paths import write_json
from jupyter_gridgpu.testing.examples import notebook_json

EPOCHS = 20
REPORTED_AT_ONCE = 5  # epochs in one line of the journal: a short training reports once a second
METRICS = ("loss", "acc", "val_loss")
PROVENANCE = {
    "host": "node1",
    "cpu": "Fast CPU",
    "packages": {f"package-{number}": "1.0" for number in range(200)},
}
OUTPUT_BYTES = 20_000  # of one executed notebook


def fill(handle: ScanHandle, variants: int) -> None:
    """Write journal and files of a scan whose variants have all ended."""
    writer = JournalWriter(handle.paths.journal, 0, 1)
    writer.append([(events.RUNNER_STARTED, {})])
    keys = []
    for number in range(variants):
        key = f"v{number + 1:04d}.1"
        keys.append(key)
        writer.append(_variant_events(key, number, _write_job(handle, key, number)))
    writer.append([(events.SCAN_FINISHED, {"state": "done"})])
    writer.close()
    ManifestWriter(handle.paths).add(keys)


def _variant_events(key: str, number: int, notebook: str) -> list[tuple[str, dict[str, Any]]]:
    """Return what the journal says about a variant; `number` counts from 0."""
    params = {"lr": 1e-4 + 1e-6 * number, "seed": 0}
    variant = key.split(".")[0]
    proposed = {"variant": variant, "point": number, "repeat": 0, "params": params, "attrs": {}}
    items: list[tuple[str, dict[str, Any]]] = [
        (events.VARIANT_PROPOSED, proposed),
        (events.JOB_INTENDED, {"key": key}),
        (events.JOB_SUBMITTED, {"key": key, "engine_id": key}),
        (events.JOB_OBSERVED, {"key": key, "state": "running", "started": 1.0 * number}),
    ]
    for epoch in range(1, EPOCHS + 1, REPORTED_AT_ONCE):
        last = epoch + REPORTED_AT_ONCE - 1
        values = [_value(number, step) for step in range(epoch, last + 1)]
        metrics = {name: [epoch, 0.0, 1.0, values] for name in METRICS}
        report = {"key": key, "step": last, "steps": EPOCHS, "metrics": metrics}
        items.append((events.JOB_REPORTED, report))
    done = {"key": key, "state": "done", "ended": number + 20.0, "notebook": notebook}
    items.append((events.JOB_OBSERVED, done))
    return items


def _value(number: int, epoch: int) -> float:
    """Return the value of every metric of a variant in an epoch."""
    return 1 / (epoch + number % 7)


def _write_job(handle: ScanHandle, key: str, number: int) -> str:
    """Write what a job leaves; return the path of its notebook in the scan folder."""
    job = handle.paths.job(key)
    copy = job.copy("ab")
    copy.folder.mkdir(parents=True)
    with copy.metrics.open("w", encoding="utf-8") as file:
        for epoch in range(1, EPOCHS + 1):
            values = {name: _value(number, epoch) for name in METRICS}
            file.write(json.dumps({"t": 1.0, "s": epoch, "m": values}) + "\n")
    copy.notebook.write_text(notebook_json("lr = 0.1", "x" * OUTPUT_BYTES))
    write_json(copy.provenance, PROVENANCE)
    # In a real scan, the job's result is a link to that of its copy.
    for path in (copy.result, job.result):
        write_json(path, {"key": key, "copy": "ab", "state": "done"})
    return copy.notebook.relative_to(handle.paths.folder).as_posix()


def make_scans(folder: Path, variants: int) -> None:
    """Make two finished scans, `one` and `two`, of the same request."""
    notebook = folder / "train.ipynb"
    notebook.write_text(notebook_json("lr = 0.1\nseed = 0", "acc = 1 - lr"))
    options = Options(maximize="acc", trials=variants, sampler="random")
    made = plan(notebook, "lr = loguniform(1e-5, 1)\nseed = 0", options)
    for name in ("one", "two"):
        scan = replace(made.scan, name=name, id=name)
        # Two scans of one request have the same points, so that `compare` finds pairs.
        fill(client.create(replace(made, scan=scan)), variants)


def commands(folder: Path) -> dict[str, list[str]]:
    """Return the words of each command of `gridgpu` that is timed, by how it is shown."""
    found = {}
    for kind in KINDS:
        found[f"export --to {kind}"] = ["export", "one", "--to", kind, "-o", f"{folder}/{kind}"]
    return {
        **found,
        "compare": ["compare", "one", "two"],
        "verify": ["verify", "one"],
        "pack": ["pack", "one", "-o", f"{folder}/pack.zip"],
        "show": ["show", "one"],
        "show --json": ["show", "one", "--json"],
    }


def timed(words: list[str]) -> float:
    """Run a command of `gridgpu` and return its seconds."""
    start = time.perf_counter()
    ran = subprocess.run(
        [sys.executable, "-m", "jupyter_gridgpu.cli", *words], capture_output=True, text=True
    )
    assert ran.returncode == 0, (words, ran.stderr)
    return time.perf_counter() - start


def print_digest_time(scan: Path) -> None:
    """Print how long sha256sum takes for all files of a scan, which is what `verify` reads."""
    size = sum(path.stat().st_size for path in scan.rglob("*") if path.is_file())
    start = time.perf_counter()
    # sha256sum does nothing but hash, so its time is a lower bound for `verify`.
    find = ["find", str(scan), "-type", "f", "-exec", "sha256sum", "{}", "+"]
    subprocess.run(find, capture_output=True)
    seconds = time.perf_counter() - start
    print(f"{size / 2**20:.0f} MB; sha256sum of all files {seconds:.2f} s")


def main() -> None:
    """Make two scans and time the commands."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--variants", type=int, default=2000)
    parser.add_argument("--only", default="", help="commands to time, with commas between them")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ["GRIDGPU_HOME"] = f"{folder}/scans"
        make_scans(folder, given.variants)
        for name, words in commands(folder).items():
            if given.only and words[0] not in given.only.split(","):
                continue
            seconds = timed(words)
            print(f"{given.variants:>6} variants  {name:<20} {seconds:6.2f} s", flush=True)
        print_digest_time(folder / "scans" / "one")


if __name__ == "__main__":
    main()
