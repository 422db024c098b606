"""Container images: what `--image` names, and how jobs run in an image on any node.

Other rooms use only what is listed here.
"""

from __future__ import annotations

from jupyter_gridgpu.images.base import ARCHIVE, PASSED_VARIABLES
from jupyter_gridgpu.images.container import (
    check_runs_here,
    launcher_text,
    resolve,
    runtimes,
    starts_container,
)
from jupyter_gridgpu.images.hidden import SENT_PATH, image_alone
from jupyter_gridgpu.images.identity import digest
from jupyter_gridgpu.images.launcher import temporary_folder
from jupyter_gridgpu.images.reference import parse, parse_bind

__all__ = [
    "ARCHIVE",
    "PASSED_VARIABLES",
    "SENT_PATH",
    "check_runs_here",
    "digest",
    "image_alone",
    "launcher_text",
    "parse",
    "parse_bind",
    "resolve",
    "runtimes",
    "starts_container",
    "temporary_folder",
]
