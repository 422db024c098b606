"""Compares the images in which the jobs of a scan ran.

A tag like `latest` may move while a scan runs; the results of the scan could then not be compared
with each other. Each job writes into its copy.json which version of the image it has.
"""

from __future__ import annotations

import contextlib
from typing import Any

from jupyter_gridgpu.backends.base import copy_info
from jupyter_gridgpu.model import events
from jupyter_gridgpu.model.fold import IMAGES_LIMIT
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.runner.driven_scan import DrivenScan
from jupyter_gridgpu.store.tail import tail_text

MARK_LIMIT = 200  # characters of a version


class DrivenImage:
    """Records each version of the scan's image in which a job ran."""

    def __init__(self, scan: DrivenScan) -> None:
        self._scan = scan

    def look(self, key: str) -> None:
        """Record the image of the newest copy of a job, if no other job ran in it so far."""
        view = self._scan.view
        if self._scan.spec.container.image is None or len(view.images) >= IMAGES_LIMIT:
            return
        copies = self._scan.paths.job(key).copies()
        mark = _mark(copy_info(copies[-1])) if copies else None
        if not mark:
            return
        if not view.images:
            self._adopt_first()
        if view.is_new_image(mark):
            self._scan.record((events.IMAGE_SEEN, {"key": key, "mark": mark}))

    def _adopt_first(self) -> None:
        """Take over what an earlier version noted of the image of the scan's first job."""
        mark = one_line(self._noted(), MARK_LIMIT)
        if mark:
            self._scan.record((events.IMAGE_SEEN, {"key": "", "mark": mark}))

    def _noted(self) -> str:
        with contextlib.suppress(OSError):
            return tail_text(self._scan.paths.image_version, MARK_LIMIT)
        return ""


def _mark(about: dict[str, Any]) -> str | None:
    """Return which image a copy ran in, as its copy.json says; None if it does not say that."""
    mark = one_line(about.get("image_mark"), MARK_LIMIT)
    # Earlier versions did not say whether there was a container.
    if not mark and "image" in about and about.get("container", "") is None:
        return events.NO_CONTAINER
    return mark
