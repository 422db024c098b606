"""A whole scan as a file: notebook, space and options in YAML. docs/scan-file.md is the reference.

Reading a file runs nothing that is in it. Paths in it are relative to its folder. Other rooms use
only what is listed here.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from jupyter_gridgpu.planning.scan_file.paths import check_named, is_scan_file

if TYPE_CHECKING:
    from jupyter_gridgpu.planning.scan_file.reading import ScanFile, read
    from jupyter_gridgpu.planning.scan_file.writing import save, save_again, text

__all__ = ["ScanFile", "check_named", "is_scan_file", "read", "save", "save_again", "text"]

# Imported when one of the names is first used: most commands and cells need no YAML.
_MODULES = {
    **dict.fromkeys(("ScanFile", "read"), "reading"),
    **dict.fromkeys(("save", "save_again", "text"), "writing"),
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
