"""Finds the files that a notebook needs beside it (`--files`), names them and hashes them."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import itertools
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.plain_values import NO_UTF8, is_text
from jupyter_gridgpu.store import home
from jupyter_gridgpu.store.access import closed, why
from jupyter_gridgpu.store.opener import read_bounded, users_opener

GB = 1024**3
BYTES_LIMIT = 20 * GB  # of all helper files together: they are copied into the scan folder
COUNT_LIMIT = 100_000  # files
NAME_SHOWN = 100  # characters of a wrong name in a sentence
BYTES_TOLD = 1 * GB  # from here on a user is told how much is copied
HASHED_BYTES = 256 * 1024 * 1024  # the most bytes that are hashed, of all helper files together


def helper_files(folder: Path, patterns: tuple[str, ...]) -> dict[str, Path]:
    """Return the helper files by the names that they get beside the notebook.

    `folder` is the notebook's; patterns are relative to it. Raises UsageError for a pattern without
    a file, for the folder itself, and for two files with one name.
    """
    files: dict[str, Path] = {}
    for pattern in patterns:
        matches = _matches(folder, pattern)
        if not matches:
            reason = closed(folder / home.user_path(_fixed_part(pattern)))
            if reason is not None:
                raise UsageError(f"--files {pattern} cannot be read: {reason}.")
            raise UsageError(f"--files {pattern}: there is no such file in {folder}.")
        for match in matches:
            name = _name_beside_notebook(folder, match, pattern)
            _check_name(name)
            # Two patterns may name one file, but two files of one name would hide each other.
            if files.setdefault(name, match).resolve() != match.resolve():
                raise UsageError(
                    f"--files {pattern}: another file would be beside the notebook as {name}"
                    " already."
                )
    return files


def size_warnings(files: dict[str, Path]) -> tuple[str, ...]:
    """Return a sentence that says how much is copied, if it is much.

    Raises UsageError for a pipe, a device or a socket, which cannot be copied, for a file whose
    name is no UTF-8, and if it is more than a scan folder may hold. Counting ends there, so that it
    ends soon also for a whole home folder.
    """
    size = count = 0
    for name, path in files.items():
        for part in _walk(path):
            _check_name(str(part.relative_to(path)))
            count += 1
            with contextlib.suppress(OSError):  # it may have been removed just now
                about = part.stat()
                if not stat.S_ISREG(about.st_mode):
                    raise UsageError(f"--files: {part} is no plain file and cannot be copied.")
                size += about.st_size
            if size > BYTES_LIMIT or count > COUNT_LIMIT:
                raise UsageError(
                    f"--files: {name} and what comes before it hold more than"
                    f" {_amount(size, count)}, and all of it would be copied into the scan folder."
                    " Name the files that the notebook needs, or let it read large data by their"
                    " own path."
                )
    if size < BYTES_TOLD:
        return ()
    return (f"--files copies {_amount(size, count)} into the scan folder.",)


def _check_name(name: str) -> None:
    """Raise UsageError for a name that no record of the files could hold."""
    if not is_text(name):
        raise UsageError(f"--files: the file {name[-NAME_SHOWN:]!r}: {NO_UTF8}.")


def _amount(size: int, count: int) -> str:
    noun = "file" if count == 1 else "files"
    return f"{size / GB:.1f} GB in {count:,} {noun}"


def _walk(path: Path) -> Iterator[Path]:
    """Yield the files below `path`, or `path` itself.

    Links to folders are followed, as they are when the files are copied. Links in a circle give
    files without an end, which is a reason to bound their number. Raises UsageError for a folder
    that cannot be read: what is in it would be missing beside the notebook.
    """
    if not path.is_dir():
        yield path
        return
    for folder, _, names in os.walk(path, onerror=_refuse_closed, followlinks=True):
        for name in names:
            yield Path(folder, name)


def _refuse_closed(error: OSError) -> None:
    if isinstance(error, PermissionError):
        place = Path(os.fsdecode(error.filename))
        raise UsageError(f"--files: {place} cannot be read: {why(error, place)}.")


def _fixed_part(pattern: str) -> str:
    """Return the folders of a pattern up to the first that has a star or the like in it."""
    parts = Path(pattern).parts
    fixed = list(itertools.takewhile(lambda part: not glob.has_magic(part), parts))
    return str(Path(*fixed))


def _matches(folder: Path, pattern: str) -> list[Path]:
    """Return the files that a pattern names; no files if pathlib refuses the pattern."""
    try:
        given = folder / home.user_path(pattern)
        if glob.has_magic(pattern):
            return sorted(folder.glob(pattern))
        if given.exists():
            return [given]
    except (ValueError, IndexError, NotImplementedError, OSError):
        # These are pathlib's ways to refuse a pattern: a null byte, an empty or an absolute one,
        # a name that is too long.
        pass
    return []


def _name_beside_notebook(folder: Path, match: Path, pattern: str) -> str:
    """Return the name of a helper file in a job's folder.

    Files from below the notebook's folder keep their place. Files from elsewhere are put beside the
    notebook. Raises UsageError for a folder that holds the notebook itself.
    """
    target = match.resolve()
    notebook_folder = folder.resolve()
    # A job's folder cannot hold the folder that the notebook lies in, or one above that.
    if target in (notebook_folder, *notebook_folder.parents):
        raise UsageError(
            f"--files {pattern}: name files or folders beside the notebook, not the folder it is"
            " in."
        )
    if target.is_relative_to(notebook_folder):
        return target.relative_to(notebook_folder).as_posix()
    return match.name


def files_digest(files: dict[str, Path]) -> str:
    """Return a SHA-256 of the helper files, or an empty text if there are none.

    The first HASHED_BYTES are hashed. Of the other files only size and time of change count, since
    hashing a large data set takes longer than a user wants to wait.
    Raises UsageError for a file that cannot be read.
    """
    if not files:
        return ""
    digest = hashlib.sha256()
    budget = HASHED_BYTES
    for name, path in sorted(files.items()):
        for part in _parts(path):
            about = part.stat()
            budget -= about.st_size
            digest.update(f"{name}/{part.relative_to(path)}/{about.st_size}/".encode())
            if budget >= 0:
                digest.update(_read(part))
            else:
                digest.update(str(about.st_mtime_ns).encode())
    return digest.hexdigest()


def _parts(path: Path) -> list[Path]:
    """Return the plain files below `path`, or `path` itself if it is one."""
    if path.is_dir():
        return [part for part in sorted(path.rglob("*")) if part.is_file()]
    return [path] if path.is_file() else []


def _read(path: Path) -> bytes:
    try:
        return read_bounded(path, HASHED_BYTES, users_opener)
    except OSError as error:
        raise UsageError(f"--files: {path} cannot be read: {why(error, path)}.") from None
