"""The options that describe a space: `--space FILE.py` and `-p 'NAME = VALUES'`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.planning.options import add_options
from jupyter_gridgpu.store.access import why
from jupyter_gridgpu.store.opener import read_bounded, users_opener

SPACE_BYTES = 1_000_000  # a larger file is no space: the user has named a data set by mistake

_SPACE_OPTIONS = (
    click.option(
        "--space",
        type=click.Path(),
        metavar="FILE.py",
        help="File with the space, one assignment a line.",
    ),
    click.option(
        "-p",
        "params",
        multiple=True,
        metavar="'NAME = VALUES'",
        help="One line of the space, like 'lr = loguniform(1e-4, 1e-2)'.",
    ),
)


def space_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a click command the options that describe the space."""
    return add_options(function, _SPACE_OPTIONS)


def space_text(space: str | None, params: tuple[str, ...]) -> str:
    """Return the lines of the space, those of the file first. Raises UsageError."""
    if space is None:
        return "\n".join(params)
    return "\n".join([_read(space), *params])


def _read(space: str) -> str:
    path = Path(space)
    try:
        # The size is checked before the file is read, since a data set may be huge.
        if path.stat().st_size > SPACE_BYTES:
            raise UsageError(f"--space {space} is larger than {SPACE_BYTES // 1000} kB.")
        return read_bounded(path, SPACE_BYTES, users_opener).decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"--space {space} cannot be read: {why(error, path)}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"--space {space} cannot be read: it is not text.") from None
