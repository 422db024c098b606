"""The extension of the Jupyter server.

It answers questions about scans over REST and sends their changes to each page over one WebSocket.
"""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    # Imported late: every process that imports the package would load Jupyter's server otherwise.
    from jupyter_gridgpu.server.app import GridGpuApp

    return [{"module": "jupyter_gridgpu.server.app", "app": GridGpuApp}]
