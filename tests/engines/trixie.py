"""A Debian trixie in a folder, for engines that the Debian of a test machine lacks or has in older versions."""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

from tests.engines.ground import SCRIPTS, alone, as_root, engines_folder, run_script

BUILD = "trixie-root.sh"


def trixie_root() -> Path:
    """Return its folder: HTCondor 23.9, Slurm 24.11, Apptainer 1.4, papermill. Whoever asks first builds it, in half a minute.

    It is shared by all who run something in it at the same time (with `in_root`), so they write elsewhere.
    """
    as_root("A Debian trixie")
    version = hashlib.sha256((SCRIPTS / BUILD).read_bytes()).hexdigest()[:10]
    root = engines_folder() / f"trixie-{version}"
    with alone("trixie"):
        if not root.exists():
            part = root.with_name(f"{root.name}.part")
            shutil.rmtree(part, ignore_errors=True)
            run_script(BUILD, part, env={"PYTHON": sys.executable})
            part.rename(root)
    return root


def in_root(root: Path, shared: list[Path], *words: str | Path) -> list[str]:
    """Return the command that runs `words` in the root, where the `shared` folders have the names they have here."""
    return [str(SCRIPTS / "in-root.sh"), str(root), ":".join(map(str, shared)), *map(str, words)]
