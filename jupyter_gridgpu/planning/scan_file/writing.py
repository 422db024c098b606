"""Writes a scan as a file: a new one, or one that is there, whose comments stay."""

from __future__ import annotations

import os
import stat
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import StorageError, UsageError
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.environment_options import environment_of
from jupyter_gridgpu.planning.scan_file.editing import Wanted, edited, fresh
from jupyter_gridgpu.planning.scan_file.fields import option_fields
from jupyter_gridgpu.planning.scan_file.paths import (
    SUFFIXES,
    is_scan_file,
    options_to_file,
    to_file,
)
from jupyter_gridgpu.planning.scan_file.reading import (
    ScanFile,
    Written,
    read_text,
    text_at,
)
from jupyter_gridgpu.planning.scan_file.space_lines import lines_of
from jupyter_gridgpu.store import home
from jupyter_gridgpu.store.access import why
from jupyter_gridgpu.store.opener import create_plain
from jupyter_gridgpu.store.paths import write_atomic

# `--new` says something of one start, and nothing of the scan.
NOT_OF_THE_SCAN = ("new",)


def text(
    notebook: str | Path,
    space: Any,
    options: Mapping[str, Any],
    *,
    variables: Mapping[str, Any] | None = None,
    folder: Path | None = None,
) -> str:
    """Return the text of a file that describes a scan.

    `space` is what `planning.request.plan` takes: the lines of a cell, a mapping or a Space;
    `variables` are those of the notebook with the cell, whose values are put in. `options` are
    those that the user gave, by name. `folder` is that of the file, the current one by default:
    paths in the file are relative to it. Raises UsageError.
    """
    return fresh(_wanted(notebook, space, options, variables, folder or Path()))


def save(
    path: str | Path,
    notebook: str | Path,
    space: Any,
    options: Mapping[str, Any],
    *,
    variables: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    source: ScanFile | None = None,
) -> str:
    """Write a scan into a file, and return a sentence about it. The arguments are those of `text`.

    A file that is there and says the same stays as it is. One that says something else is changed
    only with `overwrite`, or if it is the `source` that the request was read from; its comments
    stay. A new file gets the comments of the `source`. Raises UsageError or StorageError.
    """
    target = home.user_path(path)
    if not is_scan_file(target):
        raise UsageError(f"--save {path}: give a file whose name ends in {' or '.join(SUFFIXES)}.")
    wanted = _wanted(notebook, space, options, variables, target.parent)
    try:
        if not target.exists() and not target.is_symlink():
            made = edited(_text_of(source), source.written, wanted) if source else fresh(wanted)
            create_plain(target, made.encode())
            return f"Saved: {target}"
        old = text_at(target)
        written = _scan_file_there(old, target)
        if wanted.says(written):
            return f"{target} says the same already."
        if not overwrite and not (source and source.path.samefile(target)):
            raise UsageError(
                f"--save {target}: it is there and describes another scan; say --overwrite to"
                " change it, or name another file."
            )
        place = target.resolve()
        mode = stat.S_IMODE(place.stat().st_mode)
        write_atomic(place, edited(old, written, wanted))
        os.chmod(place, mode)  # who may read it is for its owner to say
    except OSError as error:
        raise StorageError(f"{target} cannot be written: {why(error, target)}.") from None
    return f"Changed: {target}"


def save_again(
    file: ScanFile, given: Mapping[str, Any], path: str | Path, overwrite: bool = False
) -> str:
    """Write what a file says, with the options that the user gave instead, as `save` does.

    Its own file is changed without `overwrite`, since it was read and is named again.
    """
    return save(
        path,
        file.notebook,
        file.written.body,
        file.merged(given),
        overwrite=overwrite,
        source=file,
    )


def _scan_file_there(old: str, path: Path) -> Written:
    """Return what a file says that is to be changed. Raises UsageError for any other file."""
    try:
        return read_text(old, path)
    except UsageError as error:
        raise UsageError(
            f"--save {path}: something else is there, which stays as it is ({error})"
        ) from None


def _text_of(source: ScanFile) -> str:
    return text_at(source.path)


def _wanted(
    notebook: str | Path,
    space: Any,
    options: Mapping[str, Any],
    variables: Mapping[str, Any] | None,
    folder: Path,
) -> Wanted:
    given = _given(options)
    # It refuses a variable that holds a secret, and a secret with its value.
    environment_of(Options(env=given.get("env", ()), secret=given.get("secret", ())))
    # To Python, all ends of lines are one.
    lines = lines_of(space, variables).replace("\r\n", "\n").replace("\r", "\n")
    return Wanted(
        notebook=to_file(str(notebook), Path.cwd(), folder),
        body=textwrap.dedent(lines).strip("\n").rstrip(),
        options=options_to_file(given, notebook, folder),
    )


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that say something of the scan, as a file holds them. Raises UsageError.

    They come in the order in which they are declared.
    """
    known = {field.name: field for field in option_fields().values()}
    for name in options:
        if name not in known and name != "metrics":
            raise UsageError(f"There is no option {name!r}.")
    values = dict(options)
    if values.get("metrics") is not None:  # the name of `channel` in earlier versions
        values["channel"] = values["metrics"]
    if "max_failures" in values and values["max_failures"] is None:
        values["max_failures"] = "none"
    found: dict[str, Any] = {}
    for name, field in known.items():
        value = values.get(name)
        if value is None or value == () or value == [] or name in NOT_OF_THE_SCAN:
            continue
        if field.several:
            value = (value,) if isinstance(value, (str, Path)) else value
            found[name] = tuple(str(item) for item in value)
        elif field.is_flag or field.whole:
            found[name] = value
        else:
            found[name] = str(value)
    return found
