"""What is bundled into our JavaScript has its licence in the wheel; bounds have their reason."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "labextension/src"
STATIC = ROOT / "jupyter_gridgpu/labextension/static"
# JupyterLab has these, and hands them to its extensions.
OF_JUPYTERLAB = ("@jupyterlab/", "@lumino/")
# A line of an import or an export; `[^;]` also holds the lines between the braces.
_FROM = re.compile(r'^(?:import|export)\b(?:[^;"]*?\bfrom)?\s*"([^"]+)"', re.MULTILINE)


def imported(entry: Path) -> set[str]:
    """Return the packages that a source imports, itself or through other sources of ours."""
    packages: set[str] = set()
    waiting, seen = [entry], set()
    while waiting:
        source = waiting.pop()
        if source in seen or source.suffix != ".ts":
            continue
        seen.add(source)
        for name in _FROM.findall(source.read_text(encoding="utf-8")):
            if name.startswith("."):
                path = (source.parent / name).resolve()
                waiting.append(path if path.suffix else path.with_suffix(".ts"))
            else:
                packages.add(name)
    return packages


def test_the_widgets_bundle_nobody_elses_code() -> None:
    for entry in ("widget.ts", "form.ts"):
        assert imported(SOURCES / entry) == set()


def test_the_extension_bundles_what_has_its_licence_beside_it() -> None:
    report = json.loads((STATIC / "third-party-licenses.json").read_text(encoding="utf-8"))
    licences = {package["name"]: package for package in report["packages"]}
    for name, package in licences.items():
        assert package["licenseId"], name
        assert len(package["extractedText"]) > 200, name
    # What makes the CSS a module is a part of each such bundle.
    assert {"css-loader", "style-loader"} <= set(licences)
    for name in imported(SOURCES / "index.ts"):
        assert name.startswith(OF_JUPYTERLAB) or name in licences


def test_the_licences_go_into_the_wheel() -> None:
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    # Both folders are built, so they are named as artifacts; the first one is copied as it is.
    assert '"jupyter_gridgpu/labextension" = "share/jupyter/labextensions/' in settings
    folders = '"jupyter_gridgpu/widgets/static", "jupyter_gridgpu/labextension"'
    assert f"artifacts = [{folders}]" in settings
    assert 'license-files = ["LICENSE"]' in settings


def test_an_upper_bound_has_its_reason_beside_it() -> None:
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = re.findall(r'^\s*"[\w.\[\]-]+[^"]*<[^"]*",?(.*)$', settings, re.MULTILINE)
    assert listed
    assert [rest for rest in listed if "#" not in rest] == []
