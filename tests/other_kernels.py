"""Kernels that only one test has."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest


def kernels_of_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of kernels that only this test has; python3 is there in any case."""
    folder = tmp_path / "jupyter" / "kernels"
    monkeypatch.setenv("JUPYTER_PATH", str(folder.parent))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    return folder


def add_kernel(
    kernels: Path, name: str, language: str = "other", program: str = sys.executable
) -> None:
    """Add a kernel, which no test starts, to such a folder."""
    spec = {"argv": [program, "-m", "x"], "display_name": name, "language": language}
    (kernels / name).mkdir(parents=True)
    (kernels / name / "kernel.json").write_text(json.dumps(spec))
