"""A whole scan as a file: notebook, space and options in YAML. docs/scan-file.md is the reference.

Reading a file runs nothing that is in it. Paths in it are relative to its folder. Other rooms use
only what is listed here.
"""

from __future__ import annotations

from jupyter_gridgpu.planning.scan_file.reading import ScanFile, is_scan_file, read
from jupyter_gridgpu.planning.scan_file.writing import check_named, save, save_again, text

__all__ = ["ScanFile", "check_named", "is_scan_file", "read", "save", "save_again", "text"]
