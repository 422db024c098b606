"""Metrics read from what Keras prints during fit(), for notebooks that report nothing themselves.

Keras 2 and 3 print `Epoch 3/20` and then, at an epoch's end, `32/32 ... - accuracy: 0.51 - loss: 0.69 - val_loss: 0.7`
(keras/src/utils/progbar.py).
"""

from __future__ import annotations

import re

from jupyter_gridgpu.model import numbers

_EPOCH = re.compile(r"^Epoch (\d{1,9})/(\d{1,9})\b")
_BAR = re.compile(r"^\s*(\d+)/(\d+)\b")
_PAIR = re.compile(r" - ([A-Za-z_][\w/@.]*): (-?(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|nan|inf))")
_WORDS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


class KerasOutput:
    """Reads finished lines; returns the metrics of an epoch when its last line is there."""

    def __init__(self) -> None:
        self._epoch: tuple[int, int] | None = None

    def line(self, text: str) -> dict[str, float] | None:
        """Return {"epoch", "epochs", metric: value, ...} if `text` ends an epoch, else None."""
        if found := _EPOCH.match(text):
            self._epoch = int(found[1]), int(found[2])
            return None
        bar = _BAR.match(text)
        if self._epoch is None or not bar or bar[1] != bar[2]:
            return None
        values = {name: _number(value) for name, value in _PAIR.findall(text)}
        if not values:
            return None
        (epoch, epochs), self._epoch = self._epoch, None
        return {"epoch": epoch, "epochs": epochs, **values}


def _number(text: str) -> float:
    value = numbers.decode(_WORDS.get(text, text))
    return float(text) if value is None else value
