"""`report()`: how a notebook hands metrics to its scan. Outside of a scan it does nothing.

An export copies this file alone beside a notebook, so it imports nothing of its package.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

# Holds the path of the report file, to which a kernel of any language may append lines of JSON.
REPORTS_VARIABLE = "GRIDGPU_METRICS"
# Holds the path of a file that is there once the variant is to end.
STOP_VARIABLE = "GRIDGPU_STOP"


def report(values: Mapping[str, Any] | None = None, **metrics: Any) -> bool | None:
    """Add metrics of this moment to the table: `report(epoch=3, epochs=20, val_loss=0.2)`.

    Return False once the variant is to end, so that the notebook can save and leave its loop; True
    while it goes on; None outside of a scan.

    `epoch` (or `step`) is the number of the epoch, and `epochs` (or `steps`) says how many
    there will be. Every other argument is a metric, a number. A metric whose name is no Python
    identifier goes into a mapping: `report({"val loss": 0.2}, epoch=3)`. A value that is no number
    is left out with a warning on stderr, since a training should not fail for its report.
    """
    path = os.environ.get(REPORTS_VARIABLE)
    if not path:
        return None
    line = json.dumps(_numbers({**(values or {}), **metrics})) + "\n"
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(line)
    except OSError as error:
        print(f"report(): {error.strerror}: {path}; this report is lost.", file=sys.stderr)
    stop = os.environ.get(STOP_VARIABLE)
    return not (stop and os.path.exists(stop))


def keras_callback(epochs: int | None = None) -> Any:
    """Return a Keras callback that reports the logs of every epoch.

    Use it as `model.fit(..., callbacks=[keras_callback()])`. `epochs` is how many there will be,
    where Keras does not know that itself.
    """
    # Imported here, since most notebooks that report have no Keras.
    import keras

    class Report(keras.callbacks.Callback):  # type: ignore[misc]
        """Reports the logs of every epoch."""

        def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
            """Report an epoch; Keras counts from 0, the table from 1."""
            report(logs, epoch=epoch + 1, epochs=epochs or self.params.get("epochs"))

    return Report()


def _numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries that are numbers; None is left out silently."""
    numbers = {}
    for name, value in values.items():
        if value is None:
            continue
        try:
            numbers[str(name)] = _number(value)
        except (TypeError, ValueError, OverflowError):
            kind = type(value).__name__
            print(f"report(): {name} is a {kind}, not a number, and was left out.", file=sys.stderr)
    return numbers


def _number(value: Any) -> float:
    """Return a number that JSON can carry. Raises TypeError, ValueError or OverflowError."""
    if type(value) is float:
        return value
    # Python refuses to write integers of very many digits. float() raises OverflowError for them.
    if type(value) is int and value.bit_length() < 10_000:
        return value
    return float(value)
