"""Packs the worker into one file, `worker.pyz`, which any Python from 3.9 with papermill can run.

A scan keeps the file, so that jobs under way run the same code whatever is installed meanwhile.
"""

from __future__ import annotations

import ast
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
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
    """Yield the files of the worker, and all files of this package that they import."""
    # The front door of the package imports the whole product on demand, which the worker does not.
    front = PACKAGE / "__init__.py"
    found = {front}
    waiting = list((PACKAGE / "worker").rglob("*.py"))
    yield front
    while waiting:
        source = waiting.pop()
        if source in found:
            continue
        found.add(source)
        yield source
        waiting += _imported(source)


def _imported(source: Path) -> Iterator[Path]:
    """Yield the files of this package that a file imports, with those of the folders above them."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # What is imported of a package may be a module.
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            yield from _files(name)


def _files(module: str) -> Iterator[Path]:
    """Yield the file of a module of this package, and the `__init__.py` of each folder above it."""
    first, *rest = module.split(".")
    if first != PACKAGE.name:
        return
    folder = PACKAGE
    for name in rest:
        file = folder / f"{name}.py"
        folder /= name
        package = folder / "__init__.py"
        if package.is_file():
            yield package
        elif file.is_file():
            yield file


def _add(archive: zipfile.ZipFile, name: str, text: str) -> None:
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, text)
