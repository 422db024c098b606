"""What a channel is: something that reads on from a cursor."""

from __future__ import annotations

from typing import Any, Protocol

from jupyter_gridgpu.model.metrics import Reading
from jupyter_gridgpu.store.paths import CopyPaths


class Channel(Protocol):
    """Reads what a copy of a job reported since a cursor, in order, each reading once."""

    def read(self, copy: CopyPaths, cursor: Any) -> tuple[list[Reading], Any]:
        """Return new readings and the cursor behind them; a first call passes None. Bounded work a call."""
        ...
