"""What an exporter is, and what several exporters share.

A new format is one module in this folder that has what `Exporter` declares, and its name in
`KINDS` of `__init__.py`. Exporters never import each other.
"""

from __future__ import annotations

import html
import importlib
import json
from pathlib import Path
from typing import Any, Protocol

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.escapes import visible
from jupyter_gridgpu.records.record import Record


class Exporter(Protocol):
    """A module that writes a scan in the format of another tool."""

    # A property, since a module's own constant is never assigned from outside.
    @property
    def SUFFIX(self) -> str:
        """How the name of the file or folder ends; it comes after the scan's name."""

    def write(self, record: Record, target: Path, curves: bool) -> None:
        """Write the scan to `target`, a new file or folder that does not exist yet.

        With `curves` a table gets a row for each value that was reported, not for each variant;
        only the formats in `WITH_CURVES` are called with True. Files that a job did not leave are
        left out. Raises UsageError, for instance if a package is missing, or OSError.
        """


def require_package(package: str, module: str) -> None:
    """Raise UsageError if a module that an export needs cannot be imported."""
    # Checked first, so that the user gets a sentence before anything is written.
    try:
        importlib.import_module(module)
    except ImportError:
        raise UsageError(
            f"This export needs {package}: pip install 'jupyter_gridgpu[export]'."
        ) from None


def escape(text: str) -> str:
    """Return a text as HTML shows it, without characters that would steer the page."""
    return html.escape(visible(text))


def json_text(value: Any) -> str:
    """Return a value as strict JSON. NaN and infinities become words like "NaN"."""
    return json.dumps(numbers.encode_all(value, mark=""), ensure_ascii=False)


def text_or_json(value: Any) -> str:
    """Return a text as it is, any other value as strict JSON."""
    if isinstance(value, str):
        return value
    return json_text(value)
