"""The mark by which a page tells two homes apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_gridgpu.store import home_mark


def test_two_homes_have_two_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marks = []
    for name in ("one", "two", "one"):
        monkeypatch.setenv("GRIDGPU_HOME", str(tmp_path / name))
        marks.append(home_mark.leave())
    assert marks[0] == marks[2]
    assert marks[0] != marks[1]


def test_a_home_that_cannot_be_made_has_no_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GRIDGPU_HOME", str(tmp_path / "file" / "home"))
    assert (home_mark.leave(), home_mark.read()) == ("", "")
