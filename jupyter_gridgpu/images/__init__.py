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
    started_by_others,
    starts_container,
)
from jupyter_gridgpu.images.hidden import SENT_PATH, image_alone
from jupyter_gridgpu.images.identity import digest
from jupyter_gridgpu.images.reference import parse, parse_bind
from jupyter_gridgpu.images.setup import OF_ANOTHER_PYTHON, conda_name, has_setup
from jupyter_gridgpu.images.temporary_folder import temporary_folder

__all__ = [
    "ARCHIVE",
    "OF_ANOTHER_PYTHON",
    "PASSED_VARIABLES",
    "SENT_PATH",
    "check_runs_here",
    "conda_name",
    "digest",
    "has_setup",
    "image_alone",
    "launcher_text",
    "parse",
    "parse_bind",
    "resolve",
    "runtimes",
    "started_by_others",
    "starts_container",
    "temporary_folder",
]
