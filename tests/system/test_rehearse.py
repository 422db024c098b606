"""A rehearsal before a scan: real kernels, here and on a real batch system."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.engines.slurm import Cluster
from tests.kit import eventually

from .helpers import one_sentence, options, space, strict_json
from .lab import Lab
from .notebooks import TRAINING

LONG = space(n=[1, 2, 3], steps=400, pause=0.1)
SHORT = space(n=[1, 2], steps=2, pause=0.0)


def rehearse(lab: Lab, notebook: Path, *words: str, code: int = 0) -> dict[str, Any]:
    """Return what a rehearsal found. The exit code is 1 where it failed."""
    ran = lab.gridgpu("rehearse", str(notebook), *words, "--json", code=code)
    body = strict_json(ran.stdout)
    assert body["passed"] is (code == 0)
    assert isinstance(body, dict)
    return body


def scans(lab: Lab) -> dict[str, str]:
    """Return the state of each scan by its name."""
    listed = strict_json(lab.gridgpu("list", "--json").stdout)["scans"]
    return {scan["scan"]: scan["state"] for scan in listed}


def test_one_variant_runs_until_it_has_shown_its_first_epochs(lab: Lab) -> None:
    (lab.folder / "helper.csv").write_text("1")
    wrote = "open('model.bin', 'wb').write(bytes(200_000)); filler = bytearray(300_000_000)"
    notebook = lab.notebook("open('helper.csv')", wrote, TRAINING)
    found = rehearse(lab, notebook, *LONG, *options("--minimize loss --files helper.csv"))
    assert (found["scan"], found["where"]) == ("train-rehearsal", "this machine")
    assert found["params"]["n"] == 1
    assert found["objective_seen"] is True
    assert found["metrics"] == ["loss"]
    assert found["verdict"] == "It ran as far as was wanted."
    assert (found["files"], found["wrote"]) == (["helper.csv"], ["model.bin (0.2 MB)"])
    assert found["peak_mb"] > 300
    assert found["started_s"] >= 0
    assert found["first_epoch_s"] > 0
    assert 0.1 <= found["epoch_s"] < 5
    assert found["variant_s"] >= 36  # an estimate from a few of the 400 steps of 0.1 s
    assert found["hours"] == pytest.approx(3 * found["variant_s"] / 3600, abs=0.001)
    assert scans(lab) == {"train-rehearsal": "stopped"}
    show = strict_json(lab.gridgpu("show", "train-rehearsal", "--json").stdout)
    assert [variant["state"] for variant in show["variants"]] == ["cancelled"]
    assert show["variants"][0]["notebook"], "the notebook as far as it came is kept"


def test_a_notebook_that_fails_is_not_sent(lab: Lab) -> None:
    notebook = lab.notebook("open('jets.npz')")
    words = [*space(n=[1, 2]), *options("--minimize loss")]
    found = rehearse(lab, notebook, *words, code=1)
    assert found["verdict"].startswith("FileNotFoundError")
    assert found["hint"] == (
        "--files names what it needs beside it; `gridgpu logs train-rehearsal/v0001` shows its log."
    )
    ran = lab.gridgpu("run", str(notebook), *words, "--rehearse", code=1)
    assert one_sentence(ran.stderr).startswith(
        "gridgpu: The scan was not sent, since its rehearsal failed: FileNotFound"
    )
    assert set(scans(lab)) == {"train-rehearsal", "train-rehearsal-2"}


ENDLESS = """
import time
from jupyter_gridgpu import report
report(epoch=1, acc=1)
time.sleep(600)
"""


def test_an_objective_that_nobody_reports_is_found_out(lab: Lab) -> None:
    found = rehearse(lab, lab.notebook(), *SHORT, "--minimize", "los", code=1)
    assert found["verdict"] == "It ended and los was never reported; metrics seen: loss."
    endless = lab.notebook(ENDLESS)
    found = rehearse(lab, endless, *space(n=1), *options("--minimize loss --limit 5s"), code=1)
    assert found["verdict"] == "No value of loss was reported in 5.0 s; metrics seen: acc."


def test_a_rehearsed_scan_is_sent_once(lab: Lab) -> None:
    words = [*SHORT, *options("--minimize loss --rehearse")]
    ran = lab.gridgpu("run", str(lab.notebook()), *words)
    assert "passed" in ran.stdout
    assert "whole scan" in ran.stdout
    assert scans(lab) == {"train": "done", "train-rehearsal": "done"}
    again = lab.gridgpu("run", str(lab.notebook()), *words).stdout
    assert again.startswith("Same request as before: showing train")
    assert set(scans(lab)) == {"train", "train-rehearsal"}


def test_an_interrupted_rehearsal_ends(lab: Lab) -> None:
    command = [sys.executable, "-m", "jupyter_gridgpu.cli", "rehearse", str(lab.notebook())]
    command += [*LONG, "--minimize", "nothing"]
    with subprocess.Popen(
        command, env=lab.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as going:
        lines = going.stdout
        assert lines is not None
        eventually(lambda: "Started" in lines.readline(), what="it starts")
        going.send_signal(signal.SIGINT)
        _, said = going.communicate(timeout=60)
        assert going.returncode == 130
    assert "Traceback" not in said
    eventually(lambda: scans(lab) == {"train-rehearsal": "stopped"}, what="the rehearsal ends")


def test_there_needs_a_batch_system(lab: Lab) -> None:
    ran = lab.gridgpu("rehearse", str(lab.notebook()), *space(n=1), "--there", code=2)
    assert "--on slurm" in one_sentence(ran.stderr)


def test_a_rehearsal_there_is_one_job_of_the_queue_that_was_chosen(
    slurm: Cluster, lab: Lab
) -> None:
    lab.env["JUPYTER_CONFIG_DIR"] = str(lab.folder / "config")
    asked = "--minimize loss --on auto --gpus 1 --gpu-model V100 --memory 400MB"
    words = [*LONG, *options(asked)]
    dry = lab.gridgpu("run", str(lab.notebook()), *words, "--dry-run").stdout
    assert "Chosen: gpu (slurm), since it fits, 4 of 4 GPUs are free." in dry
    found = rehearse(lab, lab.notebook(), *words, "--there")
    assert (found["where"], found["gpus"], found["note"]) == ("slurm gpu", 1, None)
    assert found["objective_seen"]
    assert found["hours"] > 0
    show = strict_json(lab.gridgpu("show", "train-rehearsal", "--json").stdout)
    (variant,) = show["variants"]
    assert (variant["state"], variant["attempts"]) == ("cancelled", 1)
    assert not {"PENDING", "RUNNING"} & set(slurm.jobs().values()), "nothing of it waits or runs"
