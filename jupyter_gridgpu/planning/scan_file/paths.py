"""Paths in a file of a scan: there they are relative to its folder, elsewhere to the process's.

`--files` is the exception of the command line: there they are relative to the notebook's folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.store import home


def _is_image_here(text: str) -> bool:
    return bool(text) and "://" not in text


def _has_slash(text: str) -> bool:
    return os.sep in text and not text.startswith("conda:")


# The options that may name a file, and which of their values do. `files` is looked at apart.
PATHS: dict[str, Callable[[str], bool]] = {
    "image": _is_image_here,
    "python": _has_slash,
    "points": bool,
    "warm_start": _has_slash,
}
FILES = "files"
SUFFIXES = (".yaml", ".yml")  # of a file of a scan


def is_scan_file(path: str | Path) -> bool:
    """Return whether a path names a file of a scan, by its ending."""
    return Path(path).suffix.lower() in SUFFIXES


def check_named(path: str | Path | None, overwrite: bool) -> None:
    """Raise UsageError for what is no path, and for `--overwrite` alone, which would do nothing."""
    if path is not None and not isinstance(path, (str, Path)):
        raise UsageError("save takes the path of a file, like 'scan.yaml'.")
    if overwrite and path is None:
        raise UsageError("--overwrite is for --save: give a file, or leave it out.")


def from_file(text: str, folder: Path) -> Path:
    """Return a path of a file as this process finds it; `folder` is that of the file."""
    found = folder / home.user_path(text)
    # The fingerprint has the path of an image, which must be the one that a command would have.
    short = Path(os.path.normpath(found))
    return short if _same(short, str(found)) else found


def to_file(text: str, base: Path, folder: Path) -> str:
    """Return a path below `base` as a file in `folder` has it. A whole path stays as it is."""
    if home.user_path(text).is_absolute():
        return text
    target = os.path.abspath(base / text)
    short = os.path.relpath(target, os.path.abspath(folder))
    # `..` of a folder that is a link leads elsewhere.
    return short if _same(folder / short, target) else target


def _same(one: Path, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def options_from_file(options: Mapping[str, Any], notebook: str, folder: Path) -> dict[str, Any]:
    """Return the options of a file with paths as a command line in this folder has them."""
    beside = from_file(notebook, folder).parent

    def file_beside(text: str) -> str:
        # Patterns must be relative, and what was relative is to be so again when it is saved.
        return to_file(text, folder, beside)

    return _changed(options, lambda text: str(from_file(text, folder)), file_beside)


def options_to_file(
    options: Mapping[str, Any], notebook: str | Path, folder: Path
) -> dict[str, Any]:
    """Return options of this process with paths as a file in `folder` has them."""
    beside = Path(os.path.abspath(home.user_path(notebook))).parent
    return _changed(
        options,
        lambda text: to_file(text, Path.cwd(), folder),
        lambda text: to_file(text, beside, folder),
    )


def _changed(
    options: Mapping[str, Any], path: Callable[[str], str], file: Callable[[str], str]
) -> dict[str, Any]:
    """Return options with another text for each path in them."""
    found = dict(options)
    for name, is_path in PATHS.items():
        if name in found:
            found[name] = _each(found[name], is_path, path)
    if FILES in found:
        found[FILES] = _each(found[FILES], bool, file)
    return found


def _each(value: Any, is_path: Callable[[str], bool], change: Callable[[str], str]) -> Any:
    """Return a value, or several, with another text for each path."""
    if isinstance(value, (list, tuple)):
        return tuple(_each(str(item), is_path, change) for item in value)
    text = str(value)
    return change(text) if is_path(text) else text
