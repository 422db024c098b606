"""Says why a file or folder cannot be used: which folder on the way to it is closed, and whose.

A path of somebody else's private folder is an everyday slip, so every face says it in one sentence.
"""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_gridgpu.errors import StorageError
from jupyter_gridgpu.store.ownership import owner_name


def closed(path: Path) -> str | None:
    """Return a clause that names what is closed to this user, or None if nothing is.

    That is the first folder on the way that may not be passed, or the file or folder itself.
    """
    whole = Path(os.path.abspath(path))
    for folder in reversed(whole.parents):
        if os.path.isdir(folder) and not os.access(folder, os.X_OK):
            return _clause(folder)
    needed = os.R_OK
    if os.path.isdir(whole):
        needed |= os.X_OK
    if os.path.exists(whole) and not os.access(whole, needed):
        return _clause(whole)
    return None


def why(error: OSError, path: Path) -> str:
    """Return why a path cannot be used, as a clause without a full stop."""
    found = closed(path) if isinstance(error, PermissionError) else None
    return found or error.strerror or str(error)


def sentence_of(error: OSError) -> StorageError:
    """Return an error of the operating system as one with a sentence for the user."""
    if not isinstance(error.filename, (str, bytes)):
        return StorageError(f"The system refuses it: {error.strerror or error}.")
    path = Path(os.fsdecode(error.filename))
    return StorageError(f"{path} cannot be used: {why(error, path)}.")


def _clause(place: Path) -> str:
    try:
        owner = os.stat(place).st_uid
    except OSError:
        return f"{place} is closed to you"
    if owner == os.geteuid():
        return f"its mode closes {place}"
    return f"{place} belongs to {owner_name(owner)} and is closed to you"
