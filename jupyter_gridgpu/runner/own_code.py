"""Sees to it that jobs run our code: worker.pyz and worker.sh are checked before any job is sent.

Both files lie in the scan's folder, where whatever wrote the rest of the folder could have put
others, and a job without a container can write there, too. So they are compared with what this
installation makes, and written anew where they differ. After an upgrade they differ as well. Then
jobs that are under way keep the code that they were sent with, if it is the recorded one: their
Python reads parts of worker.pyz only when it needs them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jupyter_gridgpu import images
from jupyter_gridgpu.errors import GridGpuError
from jupyter_gridgpu.runner.driven_scan import DrivenScan
from jupyter_gridgpu.runner.log import say
from jupyter_gridgpu.store import manifest
from jupyter_gridgpu.store.manifest import ManifestWriter
from jupyter_gridgpu.store.opener import create_plain, holds
from jupyter_gridgpu.store.paths import read_json
from jupyter_gridgpu.worker.packing import packed

PRIVATE = 0o600


def check_code(scan: DrivenScan, digests: ManifestWriter) -> None:
    """Write worker.pyz and worker.sh anew unless they are what this installation makes.

    Their new digests go into the manifest. Raises OSError, and UsageError if worker.sh is not the
    recorded one and cannot be made.
    """
    paths = scan.paths
    wanted = {paths.worker: packed()}
    try:
        wanted[paths.launcher] = images.launcher_text(scan.spec).encode()
    except GridGpuError:
        # The image is gone. The jobs will say so, if the script is the one that was made with it.
        if not _is_recorded(scan, [paths.launcher]):
            raise
    if all(holds(path, content) for path, content in wanted.items()):
        return
    if scan.view.active and _is_recorded(scan, list(wanted)):
        return
    for path, content in wanted.items():
        _replace(path, content)
    digests.renew([path.name for path in wanted])
    say("worker.pyz or worker.sh was not that of this version; both were written anew.")


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        create_plain(part, content, PRIVATE)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _is_recorded(scan: DrivenScan, files: list[Path]) -> bool:
    """Return whether files are those that were recorded when they were written."""
    body = read_json(scan.paths.provenance)
    inputs = body.get("inputs") if isinstance(body, dict) else None
    recorded: dict[str, Any] = dict(inputs) if isinstance(inputs, dict) else {}
    recorded.update(manifest.read(scan.paths.manifest).get(manifest.SCAN_KEY, {}))
    names = [path.name for path in files]
    found = manifest.digests(scan.paths.folder, names)
    return all(
        name in found and recorded.get(name) in (found[name], list(found[name])) for name in names
    )
