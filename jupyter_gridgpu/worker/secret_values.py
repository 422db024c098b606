"""Reads the secrets of a scan where its jobs run.

job.json has the path of their file and their names, never a value. A node of a shared disk sees the
file; a container gets it mounted; where files travel with a job, a copy lies in the scan's folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_gridgpu.store.paths import ScanPaths, read_json

FILE_BYTES = 400_000  # values may be written with six bytes for each character


class SecretsMissing(Exception):
    """The node does not see the secrets of the scan; the text is a sentence."""


def secret_values(job: Mapping[str, Any], scan: ScanPaths) -> dict[str, str]:
    """Return the values of a job's secrets by name. Raises SecretsMissing."""
    names = job.get("secrets") or ()
    if not names:
        return {}
    named = Path(str(job.get("secrets_file")))
    for path in (named, scan.folder / named.name):
        body = read_json(path, FILE_BYTES)
        if isinstance(body, dict) and set(names) <= set(body):
            return {str(name): str(body[name]) for name in names}
    raise SecretsMissing(
        f"The job cannot read the secrets of the scan, {named}: the nodes must see the folder of"
        " your Jupyter settings (JUPYTER_CONFIG_DIR)."
    )
