"""What a finished scan of many variants takes to be exported, compared, verified, packed and shown.

    python benchmarks/records.py --variants 2000

Two scans are written by hand, with 20 epochs of three metrics, an executed notebook and provenance of each variant. Each
line is one command from start to exit; run it with two counts to see that it is linear.
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
from jupyter_gridgpu.planning.request import Options, plan
from jupyter_gridgpu.records.export import KINDS
from jupyter_gridgpu.store.journal import JournalWriter
from jupyter_gridgpu.store.manifest import ManifestWriter
from jupyter_gridgpu.store.paths import write_json
from jupyter_gridgpu.testing.examples import notebook_json

EPOCHS, METRICS = 20, ("loss", "acc", "val_loss")
ABOUT = {
    "host": "node1",
    "cpu": "Fast CPU",
    "packages": {f"package-{number}": "1.0" for number in range(200)},
}
OUTPUT_BYTES = 20_000  # of one executed notebook


def fill(handle: ScanHandle, variants: int) -> None:
    """Write journal and files of a scan whose variants have all ended."""
    writer, keys = JournalWriter(handle.paths.journal, 0, 1), []
    writer.append([(events.RUNNER_STARTED, {})])
    for number in range(variants):
        ident, key = f"v{number + 1:04d}", f"v{number + 1:04d}.1"
        keys.append(key)
        params = {"lr": 1e-4 + 1e-6 * number, "seed": 0}
        notebook = _job(handle, key, number)
        items: list[tuple[str, dict[str, Any]]] = [
            (
                events.VARIANT_PROPOSED,
                {"variant": ident, "point": number, "repeat": 0, "params": params, "attrs": {}},
            ),
            (events.JOB_INTENDED, {"key": key}),
            (events.JOB_SUBMITTED, {"key": key, "engine_id": key}),
            (events.JOB_OBSERVED, {"key": key, "state": "running", "started": 1.0 * number}),
        ]
        for epoch in range(1, EPOCHS + 1, 5):  # a short training reports once a second
            values = {
                name: [epoch, 0.0, 1.0, [_value(number, step) for step in range(epoch, epoch + 5)]]
                for name in METRICS
            }
            items.append(
                (
                    events.JOB_REPORTED,
                    {"key": key, "step": epoch + 4, "steps": EPOCHS, "metrics": values},
                )
            )
        items.append(
            (
                events.JOB_OBSERVED,
                {"key": key, "state": "done", "ended": number + 20.0, "notebook": notebook},
            )
        )
        writer.append(items)
    writer.append([(events.SCAN_FINISHED, {"state": "done"})])
    writer.close()
    ManifestWriter(handle.paths).add(keys)


def _value(number: int, epoch: int) -> float:
    return 1 / (epoch + number % 7)


def _job(handle: ScanHandle, key: str, number: int) -> str:
    copy = handle.paths.job(key).copy("ab")
    copy.folder.mkdir(parents=True)
    lines = [
        {"t": 1.0, "s": epoch, "m": {name: _value(number, epoch) for name in METRICS}}
        for epoch in range(1, EPOCHS + 1)
    ]
    copy.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
    copy.notebook.write_text(notebook_json("lr = 0.1", "x" * OUTPUT_BYTES))
    write_json(copy.provenance, ABOUT)
    for path in (copy.result, handle.paths.job(key).result):
        write_json(path, {"key": key, "copy": "ab", "state": "done"})
    return copy.notebook.relative_to(handle.paths.folder).as_posix()


def timed(*words: str) -> float:
    """Run a command of `gridgpu` and return its seconds."""
    start = time.perf_counter()
    ran = subprocess.run(
        [sys.executable, "-m", "jupyter_gridgpu.cli", *words], capture_output=True, text=True
    )
    assert ran.returncode == 0, (words, ran.stderr)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--variants", type=int, default=2000)
    parser.add_argument("--only", default="", help="commands to time, with commas between them")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ["GRIDGPU_HOME"] = f"{folder}/scans"
        (folder / "train.ipynb").write_text(notebook_json("lr = 0.1\nseed = 0", "acc = 1 - lr"))
        options = Options(maximize="acc", trials=given.variants, sampler="random")
        made = plan(folder / "train.ipynb", "lr = loguniform(1e-5, 1)\nseed = 0", options)
        for name in ("one", "two"):
            fill(
                client.create(replace(made, scan=replace(made.scan, name=name, id=name))),
                given.variants,
            )
        commands: dict[str, tuple[str, ...]] = {
            **{
                f"export --to {kind}": ("export", "one", "--to", kind, "-o", f"{folder}/{kind}")
                for kind in KINDS
            },
            "compare": ("compare", "one", "two"),
            "verify": ("verify", "one"),
            "pack": ("pack", "one", "-o", f"{folder}/pack.zip"),
            "show": ("show", "one"),
            "show --json": ("show", "one", "--json"),
        }
        for name, words in commands.items():
            if not given.only or name.split()[0] in given.only.split(","):
                print(
                    f"{given.variants:>6} variants  {name:<20} {timed(*words):6.2f} s", flush=True
                )
        data = sum(
            path.stat().st_size for path in (folder / "scans" / "one").rglob("*") if path.is_file()
        )
        start = time.perf_counter()
        subprocess.run(
            ["find", folder / "scans" / "one", "-type", "f", "-exec", "sha256sum", "{}", "+"],
            capture_output=True,
        )
        print(f"{data / 2**20:.0f} MB; sha256sum of all files {time.perf_counter() - start:.2f} s")


if __name__ == "__main__":
    main()
