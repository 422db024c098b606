"""A Debian trixie in a folder, for programs that the Debian of a test machine has not, or older."""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

from tests.engines.ground import SCRIPTS, alone, as_root, engines_folder, run_script

BUILD = "trixie-root.sh"


def trixie_root() -> Path:
    """Return the folder of a Debian with HTCondor 23.9, Slurm 24.11, Apptainer 1.4 and papermill.

    Whoever asks first builds it, which takes half a minute. All who run something in it (with
    `in_root`) share it, so they write elsewhere.
    """
    as_root("A Debian trixie")
    version = hashlib.sha256((SCRIPTS / BUILD).read_bytes()).hexdigest()[:10]
    root = engines_folder() / f"trixie-{version}"
    with alone("trixie"):
        if not root.exists():
            # It gets its name once it is whole: a build that was killed is begun anew.
            part = root.with_name(f"{root.name}.part")
            shutil.rmtree(part, ignore_errors=True)
            run_script(BUILD, part, env={"PYTHON": sys.executable})
            part.rename(root)
    return root


def in_root(root: Path, shared: list[Path], *words: str | Path) -> list[str]:
    """Return the command that runs `words` in the root.

    The `shared` folders have the same names there as here.
    """
    folders = ":".join(map(str, shared))
    return [str(SCRIPTS / "in-root.sh"), str(root), folders, *map(str, words)]
