"""Containers: how a node runs the worker, written once a scan as a script that needs nothing but a POSIX shell."""

from __future__ import annotations

import shlex
import sys

from jupyter_gridgpu.model.scan import Scan

_SCRIPT = """\
#!/bin/sh
# sh worker.sh FOLDER KEY...: run jobs of a scan on this node.
folder=$1
shift
[ -f "$folder/worker.pyz" ] || { echo "This node, $(hostname), does not see the scan's folder $folder." >&2; exit 71; }
for key in "$@"; do
    set -- "$@" "$folder/jobs/$key/job.json"
    shift
done
for python in PYTHON python3; do
    command -v "$python" >/dev/null 2>&1 && exec "$python" "$folder/worker.pyz" --together TOGETHER "$@"
done
echo "This node, $(hostname), has no python3." >&2
exit 74
"""


def launcher(scan: Scan) -> str:
    """Return the text of worker.sh for a scan."""
    return _SCRIPT.replace("PYTHON", shlex.quote(sys.executable), 1).replace("TOGETHER", str(scan.per_gpu))
