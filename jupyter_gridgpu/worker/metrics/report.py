"""`report()`: how a notebook hands metrics to its scan. Outside of a scan it does nothing."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

VARIABLE = "GRIDGPU_METRICS"  # the file that a kernel of any language may append JSON lines to


def report(values: Mapping[str, Any] | None = None, **metrics: Any) -> None:
    """Append metrics of this moment to the table of the scan: `report(epoch=3, epochs=20, val_loss=0.2)`.

    `epoch` (or `step`) counts, `epochs` (or `steps`) says how far it goes; everything else is a metric, a number.
    Names that are no Python words go in a mapping: `report({"val loss": 0.2}, epoch=3)`. What is no number is left out
    with a word on stderr, since a training should not fail for its report.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        return
    line = json.dumps(_numbers({**(values or {}), **metrics})) + "\n"
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(line)
    except OSError as error:
        print(f"report(): {error.strerror}: {path}; this report is lost.", file=sys.stderr)


def keras_callback(epochs: int | None = None) -> Any:
    """Return a Keras callback that reports the logs of every epoch: `model.fit(..., callbacks=[keras_callback()])`."""
    import keras

    class Report(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
            report(logs, epoch=epoch + 1, epochs=epochs or self.params.get("epochs"))

    return Report()


def _numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    numbers = {}
    for name, value in values.items():
        if value is None:
            continue
        try:
            numbers[str(name)] = (
                value
                if type(value) is float or (type(value) is int and value.bit_length() < 10_000)
                else float(value)
            )
        except (TypeError, ValueError, OverflowError):
            print(
                f"report(): {name} is a {type(value).__name__}, not a number, and was left out.",
                file=sys.stderr,
            )
    return numbers
