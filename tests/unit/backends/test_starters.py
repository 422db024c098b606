"""Containers on a machine where they do not come up."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_gridgpu import client
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.request import plan
from jupyter_gridgpu.testing.examples import notebook_json
from tests.kit import break_workers


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> client.ScanHandle:
    """A scan in an image whose runtime is made up and refuses."""
    for folder in ("bin", "box/bin", "box/usr"):
        (tmp_path / folder).mkdir(parents=True)
    program = tmp_path / "bin" / "apptainer"
    program.write_text("#!/bin/sh\necho 'FATAL: no user namespaces' >&2\nexit 255\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    notebook = tmp_path / "train.ipynb"
    notebook.write_text(notebook_json("lr = 0.1", "print(lr)"))
    return client.create(plan(notebook, "lr = [0.1, 0.2]", Options(image=str(tmp_path / "box"))))


def messages(handle: client.ScanHandle) -> set[tuple[str, str | None, str | None]]:
    assert handle.wait(timeout_s=100) == "done"
    return {
        (variant.state, variant.reason, variant.message)
        for variant in handle.view.variants.values()
    }


@pytest.mark.timeout(120)
def test_a_runtime_that_refuses_is_the_images_failure_in_its_words(
    started: client.ScanHandle,
) -> None:
    started.resume()
    assert messages(started) == {("failed", "image", "FATAL: no user namespaces")}


@pytest.mark.timeout(120)
def test_jobs_fail_with_the_reason_when_nothing_can_be_launched(
    started: client.ScanHandle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_workers(tmp_path / "broken", "no such file", monkeypatch)
    started.resume()
    assert messages(started) == {
        ("failed", "submit", "Workers cannot start on this machine. no such file")
    }
