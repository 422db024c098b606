"""Scan folders whose texts are made to run code, to hang a page or to mislead its reader."""

from __future__ import annotations

import json
import math
import os
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_gridgpu.model import scan as scans
from jupyter_gridgpu.model.job import variant_id
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.space import Choice, Fixed, Space
from jupyter_gridgpu.testing.examples import Story, notebook_json, small_scan

RUN = "window.hacked=1;alert(1)"
SCRIPT = f"</script><script>{RUN}</script>"
IMAGE = f"<img src=x onerror={RUN}>"
HIDDEN = "\u202egnp\u202c\u2067\u200b\ufeff\x1b[31mred\x1b]0;title\x07\x00\x9b\ud800"
RIGHT_TO_LEFT = "\u05d0\u05d1\u05d2"  # Hebrew letters
LONG = "W" * 100_000
PROTOTYPES = ("__proto__", "constructor", "toString", "hasOwnProperty", "valueOf")
# A spec may have these names, and a kernel of some language such parameters.
NAMES = (
    *PROTOTYPES, IMAGE, SCRIPT, RIGHT_TO_LEFT, "a.b", "a[0]", "a['b']", 'a"]+alert(1)+datum["',
    "a:Q", "a\\", '\\");alert(1);//', "image", "title", "x0", "y", "id", "state", "<!--",
    "metric:acc",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    {"expr": "alert(1)"}, {"signal": "alert(1)"}, [{"url": "https://example.org/x"}], IMAGE, SCRIPT,
    "datum.y", "https://example.org/image.png", HIDDEN, RIGHT_TO_LEFT, LONG, math.nan, True, None,
    "NaN", "1e5", 0.5, 7,
)  # fmt: skip
LINKS = ("javascript:alert(1)", "data:text/html,<script>alert(1)</script>", "JaVaScRiPt:alert(1)",
         " https://example.org/", "//example.org/", "https://example.org/job/1")  # fmt: skip
TEXTS = (IMAGE, SCRIPT, HIDDEN, RIGHT_TO_LEFT + " 12", LONG, "[x](javascript:alert(1))")
METRICS = (*NAMES, HIDDEN, LONG, "acc")
OBJECTIVE = Objective('acc\\");alert(1);//', "maximize")


def spec(name: str, **changes: Any) -> dict[str, Any]:
    """Return a hostile scan.json."""
    axes: dict[str, Any] = {key: Choice(VALUES) for key in NAMES}
    axes["fixed"] = Fixed(HIDDEN)
    scan = replace(
        small_scan(),
        name=name,
        id=f"id-{name}",
        space=Space(axes),
        objectives=(OBJECTIVE,),
        sampler="random",
        trials=len(VALUES),  # the whole grid would be far too large
    )
    texts = {"notebook": IMAGE, "kernel": IMAGE, "warnings": [IMAGE, HIDDEN, LONG]}
    return {**scans.to_json(scan), **texts, "fingerprint": "f", "asked_name": None, **changes}


def story() -> Story:
    """Return the journal of a scan that has ended: a variant for each value, with all names."""
    told = Story()
    told.tell("runner.started")
    for number, value in enumerate(VALUES, 1):
        _tell_job(told, number, value)
    told.tell("rule.met", rule="failures", why=f"{IMAGE} {HIDDEN}")
    told.tell("scan.finished", state="done")
    return told


def _tell_job(told: Story, number: int, value: Any) -> None:
    params = dict.fromkeys(NAMES, value)
    if value is LONG:  # once is enough: a line of the journal that is longer still is no event
        params = {**dict.fromkeys(params, "W"), NAMES[0]: value}
    key = f"{told.propose(number, **params)}.1"
    text = TEXTS[number % len(TEXTS)]
    seen: dict[str, Any] = {"where": text, "gpu": text, "node": text, "message": text}
    seen["link"] = LINKS[number % len(LINKS)]
    told.tell("job.intended", key=key)
    told.tell("job.submitted", key=key, engine_id=text)
    told.tell("job.observed", key=key, state="running", started=1000.0 + number, **seen)
    readings = [2, 0.25, 0.5 + number, [0.25, 0.5 + number]]
    metrics = dict.fromkeys((OBJECTIVE.metric, *METRICS), readings)
    metrics["NaN"] = [1, None, None, [math.nan]]
    told.tell("job.reported", key=key, step=2, steps=2, metrics=metrics, whole=True)
    if number % 3 == 0:
        seen.update(state="failed", reason=text if number % 2 else "notebook", cell=number)
    else:
        seen.update(state="done")
    name = "output.ipynb" if number % 4 else f"{text[:50]}.ipynb"
    seen["notebook"] = f"jobs/{key}/ab/{name.replace('/', '_')}"
    told.tell("job.observed", key=key, ended=2000.0 + number, **seen)


def write(home: Path, name: str, **changes: Any) -> Path:
    """Make the folder of a hostile scan in a home, and return it."""
    folder = home / name
    (folder / "inbox").mkdir(parents=True)
    (folder / "files").mkdir()
    (folder / "notebook.ipynb").write_text(notebook_json("lr = 0.1", f"# {SCRIPT}"))
    told = story()
    (folder / "journal.jsonl").write_bytes(told.text())
    for number in range(1, len(VALUES) + 1):
        _write_copy(folder / "jobs" / f"{variant_id(number)}.1")
    start = {"format": 1, "gridgpu": HIDDEN, "host": IMAGE, "command": SCRIPT, "inputs": {IMAGE: 1}}
    (folder / "provenance.json").write_text(json.dumps(start))
    # The spec comes last, since a folder without it is no scan.
    (folder / "scan.part").write_text(json.dumps(spec(name, **changes)))
    return Path((folder / "scan.part").rename(folder / "scan.json")).parent


def _write_copy(job: Path) -> None:
    copy = job / "ab"
    copy.mkdir(parents=True)
    (job / "job.json").write_text(json.dumps({"key": job.name}))
    about = {"host": IMAGE, "cpu": HIDDEN, "gpus": [SCRIPT], "packages": {IMAGE: SCRIPT}}
    (copy / "output.ipynb").write_text(notebook_json("lr = 0.1", f"# {SCRIPT}"))
    (copy / "provenance.json").write_text(json.dumps(about))
    lines = [
        json.dumps({"t": 1000.0 + step, "s": step, "of": 2, "m": dict.fromkeys(METRICS, step / 2)})
        for step in (1, 2)
    ]
    (copy / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    (copy / "worker.log").write_text(f"{IMAGE}\n{SCRIPT}\n{RIGHT_TO_LEFT} 12\n\u202e\x1b[31mred\n")


def write_bad_journals(home: Path) -> list[str]:
    """Make scans whose journals are no journals; return their names."""
    for name in ("torn", "piped"):
        (write(home, name) / "journal.jsonl").unlink()
    noise = random.Random(1).randbytes(100_000)
    (home / "torn/journal.jsonl").write_bytes(b'{"seq":1,"type":["x"]}\n' + noise + b"\n[1]\n{}\n")
    os.mkfifo(home / "piped/journal.jsonl")
    return ["torn", "piped"]


def write_bad_folders(home: Path) -> list[str]:
    """Make folders that are no scans, though their names are; return the names."""
    (home / "pipe").mkdir()
    os.mkfifo(home / "pipe/scan.json")
    (home / "large").mkdir()
    (home / "large/scan.json").write_text(json.dumps(spec("large", choice="W" * 50_000_000)))
    (home / "text").mkdir()
    (home / "text/scan.json").write_text(json.dumps(spec("text", created="x")))
    (home / "garbage").mkdir()
    (home / "garbage/scan.json").write_text(json.dumps(spec("garbage", space={})))
    return ["pipe", "large", "text", "garbage"]
