"""Metrics read from what Keras prints during fit(), for notebooks that report nothing themselves.

Keras 2 and 3 print `Epoch 3/20` and then, at the end of the epoch, a line like
`32/32 ... - accuracy: 0.51 - loss: 0.69 - val_loss: 0.7` (keras/src/utils/progbar.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# At most nine digits: nobody trains longer, and int() of thousands of digits is slow or refused.
_EPOCH = re.compile(r"^Epoch (\d{1,9})/(\d{1,9})\b")
_BATCHES = re.compile(r"^\s*(\d+)/(\d+)\b")
_METRIC = re.compile(r" - ([A-Za-z_][\w/@.]*): (-?(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|nan|inf))")


class KerasOutput:
    """Reads the finished lines that a notebook printed, and finds the metrics of each epoch."""

    def __init__(self) -> None:
        self._epoch: tuple[int, int] | None = None  # number of the running epoch, and of all epochs

    def may_hold(self, lines: Sequence[str]) -> bool:
        """Return whether `lines` may hold metrics; quick, since a cell may print millions."""
        return self._epoch is not None or any(line.startswith("Epoch ") for line in lines)

    def read_line(self, text: str) -> dict[str, float] | None:
        """Return {"epoch", "epochs", metric: value, ...} if `text` ends an epoch, else None."""
        if found := _EPOCH.match(text):
            self._epoch = int(found[1]), int(found[2])
            return None
        batches = _BATCHES.match(text)
        # Keras redraws the line after each batch. Only the last one, 32/32, has the epoch's values.
        if self._epoch is None or not batches or batches[1] != batches[2]:
            return None
        values = {name: float(number) for name, number in _METRIC.findall(text)}
        if not values:
            return None
        epoch, epochs = self._epoch
        # evaluate() prints such a line too, without an epoch before it. It must not count as one.
        self._epoch = None
        return {"epoch": epoch, "epochs": epochs, **values}
