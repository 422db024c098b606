"""A machine on which workers cannot start."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_gridgpu import client
from jupyter_gridgpu.planning.request import Options, plan
from jupyter_gridgpu.testing.examples import notebook_json


@pytest.mark.timeout(120)
def test_jobs_fail_with_the_reason_when_workers_cannot_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "jupyter_gridgpu.records.scan_provenance.pack",
        lambda target: target.write_text("raise SystemExit('no papermill in this image')"),
    )
    notebook = tmp_path / "train.ipynb"
    notebook.write_text(notebook_json("lr = 0.1", "print(lr)"))
    handle = client.start(plan(notebook, "lr = [0.1, 0.2, 0.3]", Options()))
    assert handle.wait(timeout_s=100) == "done"
    for variant in handle.view.variants.values():
        assert (variant.state, variant.reason) == ("failed", "submit")
        assert variant.message == "Workers cannot start on this machine. no papermill in this image"
