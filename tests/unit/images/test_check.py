"""What is said of an image, by what its Python answers. tests/system runs real images."""

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
    "python": [3, 11, 2], "executable": "/usr/bin/python3", "kernels": ["python3"], "gpus": [],
    "packages": {"papermill": "2.7.0", "ipykernel": "7.4", "torch": None, "tensorflow": "2.21.0"},
}  # fmt: skip


@pytest.fixture
def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have a made-up apptainer answer."""

    def answer(body: Any, words: str = "", code: int = 0) -> dict[str, ImageFact]:
        text = body if isinstance(body, str) else json.dumps({**ANSWER, **body})
        (tmp_path / "answer").write_text(text)
        program = tmp_path / "bin" / "apptainer"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\ncat {tmp_path}/answer\necho '{words}' >&2\nexit {code}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        image = images.parse(
            str(sandbox(tmp_path / "box"))
            if not (tmp_path / "box").exists()
            else str(tmp_path / "box")
        )
        return {finding.name: finding for finding in check(image, images.runtimes(image))}

    return answer


def test_an_image_with_all_that_jobs_need(says: Any) -> None:
    found = says({})
    assert not [one for one in found.values() if one.missing]
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
def test_what_is_missing_is_said_with_what_to_do(
    says: Any, body: Any, name: str, advice: str
) -> None:
    found = says(body)
    assert [one.name for one in found.values() if one.missing] == [name]
    assert advice in found[name].missing


@pytest.mark.parametrize(
    "body", ["", "no json", "[]", '{"python": "x", "packages": {}}', '{"python": [3, 11]}', "{}"]
)
def test_an_answer_that_is_none_is_the_runtimes_failure(says: Any, body: str) -> None:
    with pytest.raises(BackendError, match=r"apptainer cannot run .*: FATAL: it is broken"):
        says(body, "FATAL: it is broken", 255)


def test_the_probe_runs_in_this_python() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROBE.read_text()], capture_output=True, text=True, check=True
    )
    assert json.loads(ran.stdout)["packages"]["papermill"]
