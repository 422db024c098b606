"""Packs the worker into one file, `worker.pyz`, which any Python from 3.9 with papermill can run.

A scan keeps the file, so that jobs under way run the same code whatever is installed meanwhile.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
# The worker and all that it imports of this package; folders with their sub-packages.
PARTS = ("__init__.py", "errors.py", "model", "store", "transport", "worker")
_MAIN = """\
import sys
if sys.version_info < (3, 9):
    found = "%d.%d" % sys.version_info[:2]
    sys.stderr.write("There is Python %s where the job ran; 3.9 or newer is needed.\\n" % found)
    sys.exit(74)
from jupyter_gridgpu.worker.__main__ import main
sys.exit(main())
"""
# One date for all files, so that the same sources make the same bytes and the same digest.
_DATE = (1980, 1, 1, 0, 0, 0)


def pack(target: Path) -> None:
    """Write the worker to `target` as a zipapp."""
    target.write_bytes(packed())


def packed() -> bytes:
    """Return the worker as a zipapp. The same sources make the same bytes."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for source in sorted(_sources()):
            name = f"jupyter_gridgpu/{source.relative_to(PACKAGE).as_posix()}"
            _add(archive, name, source.read_text(encoding="utf-8"))
        _add(archive, "__main__.py", _MAIN)
    return made.getvalue()


def _sources() -> Iterator[Path]:
    for part in PARTS:
        path = PACKAGE / part
        if path.is_file():
            yield path
        else:
            yield from path.rglob("*.py")


def _add(archive: zipfile.ZipFile, name: str, text: str) -> None:
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, text)
