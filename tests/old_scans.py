"""Scan folders that earlier versions made, and what was to be seen of them then (data/format2)."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

FORMAT2 = Path(__file__).parent / "data" / "format2"
ENDED, CACHED, UNFINISHED, SLURM = "ended", "cached", "unfinished", "slurm"
NAMES = (ENDED, CACHED, UNFINISHED, SLURM)
DAY_S = 86_400.0


def bring(name: str, home: Path) -> Path:
    """Copy an old scan into a home of scans, and return its folder as it is a day later."""
    folder = home / name
    shutil.copytree(FORMAT2 / name, folder)
    (folder / "inbox").mkdir()  # git keeps no empty folders
    # These scans ran on another host. A fresh time stamp of the lease or of a metrics file would
    # say that the runner or the job still lives there.
    then = time.time() - DAY_S
    for path in folder.rglob("*"):
        os.utime(path, (then, then))
    return folder


def expected(name: str) -> dict[str, Any]:
    """Return what `gridgpu show --json` printed of a scan when it was made."""
    body = json.loads((FORMAT2 / f"{name}.json").read_text(encoding="utf-8"))
    assert isinstance(body, dict)
    return body


def comparable(summary: dict[str, Any]) -> dict[str, Any]:
    """Return a summary of today in the form of `expected`, without the fields that came later."""
    like = expected(summary["scan"])
    fields = like["variants"][0]
    variants = [{field: variant[field] for field in fields} for variant in summary["variants"]]
    for variant in variants:
        # What is expected was written in another home, so its paths begin in the scan folder.
        if variant["notebook"] is not None:
            variant["notebook"] = os.path.relpath(variant["notebook"], summary["folder"])
    return {**{field: summary[field] for field in like}, "variants": variants}
