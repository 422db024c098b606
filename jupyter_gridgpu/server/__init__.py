"""The extension of the Jupyter server: scans over REST, and their changes as one stream of events."""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from jupyter_gridgpu.server.app import GridGpuApp

    return [{"module": "jupyter_gridgpu.server.app", "app": GridGpuApp}]
