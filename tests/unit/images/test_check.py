"""What `gridgpu image check` says, by what the image's Python answers.

tests/system runs real images.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu import images
from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.images.check import PROBE, ImageFact, check

from .kit import sandbox

ANSWER = {
    "python": [3, 11, 2],
    "executable": "/usr/bin/python3",
    "kernels": ["python3"],
    "gpus": [],
    "packages": {"papermill": "2.7.0", "ipykernel": "7.4", "torch": None, "tensorflow": "2.21.0"},
}


@pytest.fixture
def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that checks an image with a made-up apptainer."""

    def run(body: Any, error: str = "", code: int = 0) -> dict[str, ImageFact]:
        text = body if isinstance(body, str) else json.dumps({**ANSWER, **body})
        (tmp_path / "answer").write_text(text)
        program = tmp_path / "bin" / "apptainer"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\ncat {tmp_path}/answer\necho '{error}' >&2\nexit {code}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        if not (tmp_path / "box").exists():
            sandbox(tmp_path / "box")
        image = images.parse(str(tmp_path / "box"))
        return {fact.name: fact for fact in check(image, images.runtimes(image))}

    return run


def test_an_image_with_all_that_jobs_need(checked: Any) -> None:
    found = checked({})
    assert not [fact for fact in found.values() if fact.missing]
    assert (found["Python"].value, found["tensorflow"].value, found["kernels"].value) == (
        "3.11.2",
        "2.21.0",
        "python3",
    )
    assert "torch" not in found
    assert found["digest"].value.startswith("folder:")


@pytest.mark.parametrize(
    ("body", "name", "advice"),
    [
        ({"python": [3, 8, 10]}, "Python", "3.9 or newer"),
        ({"packages": {}}, "papermill", "pip install papermill"),
        ({"packages": {"papermill": "2.3.4"}}, "papermill", "2.4 or newer"),
        ({"kernels": []}, "kernels", "pip install ipykernel"),
    ],
)
def test_a_missing_part_comes_with_what_to_do(
    checked: Any, body: Any, name: str, advice: str
) -> None:
    found = checked(body)
    assert [fact.name for fact in found.values() if fact.missing] == [name]
    assert advice in found[name].missing


@pytest.mark.parametrize(
    "body", ["", "no json", "[]", '{"python": "x", "packages": {}}', '{"python": [3, 11]}', "{}"]
)
def test_without_a_sound_answer_the_runtime_has_failed(checked: Any, body: str) -> None:
    with pytest.raises(BackendError, match=r"apptainer cannot run .*: FATAL: it is broken"):
        checked(body, "FATAL: it is broken", 255)


def test_the_probe_runs_in_this_python() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROBE.read_text()], capture_output=True, text=True, check=True
    )
    assert json.loads(ran.stdout)["packages"]["papermill"]
