"""Looks for a secret wherever a scan may have left it, as text, packed or in base64."""

from __future__ import annotations

import base64
import gzip
import io
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PACKED = 8  # archives within archives that are opened


def forms_of(secret: str) -> list[bytes]:
    """Return how a secret may stand in a file: as it is, or in base64 at any of three offsets."""
    text = secret.encode()
    found = [text]
    for offset in range(3):
        coded = base64.b64encode(b"\0" * offset + text)
        # The first and last characters depend on what stands around the secret.
        found.append(coded[4 if offset else 0 : -4])
    return found


def holds(data: bytes, forms: list[bytes], depth: int = PACKED) -> bool:
    """Return whether some bytes, or an archive that they are, hold one of the forms."""
    if any(form in data for form in forms):
        return True
    if depth and data[:2] == b"\x1f\x8b":
        with suppress(OSError, EOFError, zlib.error):
            return holds(gzip.decompress(data), forms, depth - 1)
    if depth and data[:2] == b"PK":
        with suppress(zipfile.BadZipFile), zipfile.ZipFile(io.BytesIO(data)) as archive:
            return any(holds(archive.read(name), forms, depth - 1) for name in archive.namelist())
    return False


def files_with(secret: str, *roots: Path) -> list[Path]:
    """Return the files below some folders that hold a secret."""
    forms = forms_of(secret)
    found = []
    for root in roots:
        for path in sorted(root.rglob("*")):
            # A file may go while it is looked at, and sockets and pipes hold nothing.
            with suppress(OSError):
                if path.is_file() and not path.is_symlink() and holds(path.read_bytes(), forms):
                    found.append(path)
    return found


def commands_with(secret: str) -> list[str]:
    """Return the command lines of this machine's processes that show a secret to everybody."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().replace(b"\0", b" ")
            if secret.encode() in words:
                found.append(words.decode("utf-8", "replace"))
    return found


@contextmanager
def watched_commands(secret: str) -> Iterator[list[str]]:
    """Yield a list that gets each command line which shows a secret while the block runs."""
    found: list[str] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            found.extend(commands_with(secret))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()
