"""The mark of a home: by it, a page tells whether a kernel and the server see the same disk.

Two homes may have the same path on two machines. So a kernel leaves a file with a random word in
its home, and the server says which word it finds in its own.
"""

from __future__ import annotations

import secrets
from contextlib import suppress

from jupyter_gridgpu.store import home
from jupyter_gridgpu.store.opener import create_plain, read_start

FILE = ".mark"
LIMIT = 64  # characters of a mark


def read() -> str:
    """Return the mark of the home, or an empty text if there is none."""
    try:
        return read_start(home.home() / FILE, LIMIT).decode("ascii", "replace").strip()
    except OSError:
        return ""


def leave() -> str:
    """Return the mark of the home, which is made if there is none; empty if it cannot be made."""
    path = home.home() / FILE
    with suppress(OSError):
        home.make_home()
        # The file can be made only once, so that two kernels agree on the mark.
        create_plain(path, secrets.token_hex(16).encode())
    return read()
