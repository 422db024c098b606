"""Files with profiles, for tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_gridgpu.planning import profile_files


def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Return new folders for the profiles of the user and of the site, and nobody else's."""
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "user"))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path / "site"))
    user, site = profile_files.folders()[:2]
    assert (user, site) == (
        tmp_path / "user/gridgpu/profiles.d",
        tmp_path / "site/gridgpu/profiles.d",
    )
    for place in (user, site):
        place.mkdir(parents=True)
    return user, site


def one(name: str = "lab", backend: str = "local", more: str = "") -> str:
    """Return the text of a file with one profile; `more` are its further lines."""
    lines = "".join(f"  {line}\n" for line in more.splitlines())
    return f"profiles:\n- name: {name}\n  backend: {backend}\n{lines}"
