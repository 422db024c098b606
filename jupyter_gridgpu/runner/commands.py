"""Which commands a client may give to a runner.

The module imports little, since every face imports it.
"""

from __future__ import annotations

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.view import COMMANDS

FOR_VARIANTS = ("stop", "retry")
BEFORE_THE_END = ("stop", "pause", "resume")


def check_variants(action: str, variants: list[str] | None) -> None:
    """Raise UsageError if there is no such command, or if it is not for these variants.

    `variants` None means the whole scan.
    """
    if action not in COMMANDS:
        raise UsageError(f"{action!r} is no command; there are {', '.join(COMMANDS)}.")
    if variants is None:
        return
    # An empty list is a slip, for example a selection in which nothing was chosen. It must never
    # mean the whole scan.
    if not variants:
        raise UsageError(f"There is nothing to {action}: no variant is named.")
    if action not in FOR_VARIANTS:
        raise UsageError(f"{action} is for the whole scan.")
