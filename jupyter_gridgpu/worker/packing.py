"""Packing the worker: one file that any Python >= 3.9 with papermill can run."""

from __future__ import annotations

import zipfile
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
PARTS = ("__init__.py", "errors.py", "model", "store", "transport", "worker")
_MAIN = """\
import sys
if sys.version_info < (3, 9):
    sys.stderr.write("There is Python %d.%d where the job ran; 3.9 or newer is needed.\\n" % sys.version_info[:2])
    sys.exit(74)
from jupyter_gridgpu.worker.__main__ import main
sys.exit(main())
"""
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same bytes from the same sources


def pack(target: Path) -> None:
    """Write the worker to `target` as a zipapp."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, source in sorted(_sources()):
            _add(archive, name, source.read_text(encoding="utf-8"))
        _add(archive, "__main__.py", _MAIN)


def _sources() -> list[tuple[str, Path]]:
    found: list[Path] = []
    for part in PARTS:
        path = PACKAGE / part
        found += [path] if path.is_file() else path.rglob("*.py")
    return [
        (f"jupyter_gridgpu/{source.relative_to(PACKAGE).as_posix()}", source) for source in found
    ]


def _add(archive: zipfile.ZipFile, name: str, text: str) -> None:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, text)
