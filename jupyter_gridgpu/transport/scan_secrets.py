"""The secrets of a scan: where their values come from, and the one file that keeps them.

`--secret NAME` names a variable. Its value is taken when the scan is started: from the environment,
else from the user's keyring, where its service is called `gridgpu`. It is kept for the runners of
the scan in a file of the user's settings (`key_files.secrets_file`), which is removed when the scan
ends. Jobs get the path of that file, or a copy of it where files travel with them.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.transport import key_files

SERVICE = "gridgpu"  # in the keyring
LIMIT = 60_000  # bytes of all values of a scan together


def check(scan: ScanSpec, ask: bool = True) -> None:
    """Raise UsageError if the value of a secret cannot be had.

    Without `ask`, only the environment is looked at where there is a keyring, since that may wait
    for its user.
    """
    names = scan.environment.secrets
    if ask or importlib.util.find_spec("keyring") is None:
        _collect(names)


def keep(scan: ScanSpec) -> None:
    """Keep the secrets of a scan for its runners, unless they are kept already.

    Raises UsageError if a value cannot be had, and StorageError.
    """
    names = scan.environment.secrets
    if not names:
        return
    path = key_files.secrets_file(scan.id)
    if not set(names) <= set(key_files.read(path) or ()):
        key_files.write(path, _collect(names))


def kept_file(scan: ScanSpec) -> Path | None:
    """Return the file with the secrets of a scan, or None if the scan has none."""
    return key_files.secrets_file(scan.id) if scan.environment.secrets else None


def remove(scan: ScanSpec) -> None:
    """Remove the secrets of a scan that has ended."""
    if scan.environment.secrets:
        with suppress(OSError):
            key_files.secrets_file(scan.id).unlink(missing_ok=True)


def _collect(names: Iterable[str]) -> dict[str, str]:
    """Return the values of secrets by name. Raises UsageError, which shows no value."""
    values = {name: _value(name) for name in names}
    if sum(len(value.encode("utf-8", "replace")) for value in values.values()) > LIMIT:
        raise UsageError(f"--secret: the values have more than {LIMIT:,} bytes together.")
    return values


def _value(name: str) -> str:
    value = os.environ.get(name) or _from_keyring(name)
    if not value:
        raise UsageError(
            f"--secret {name}: it is neither in the environment nor in the keyring. Set the"
            f" variable, or say `keyring set {SERVICE} {name}`."
        )
    if "\0" in value:
        raise UsageError(f"--secret {name}: its value cannot be that of a variable.")
    return value


def _from_keyring(name: str) -> str | None:
    """Return the value that the user's keyring has, or None."""
    try:
        keyring = importlib.import_module("keyring")
        value = keyring.get_password(SERVICE, name)
    except ImportError:
        return None
    # A keyring may fail in its own ways. Its error may quote anything, so only the kind is told.
    except Exception as error:
        raise UsageError(
            f"--secret {name}: the keyring does not answer ({type(error).__name__}). Set the"
            " variable instead."
        ) from None
    return value if isinstance(value, str) else None
