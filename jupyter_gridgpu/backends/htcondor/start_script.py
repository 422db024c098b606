"""How a worker is started on a node: the arguments of /bin/sh, which every task runs."""

from __future__ import annotations

import shlex

from jupyter_gridgpu import images
from jupyter_gridgpu.backends.htcondor.quoting import argument
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.paths import ScanPaths

# HTCondor gives a job no PATH, and without PATH Python cannot find its own library. So each script
# exports the PATH that the shell has by default.
_ON_SHARED_DISK = 'export PATH; exec sh "$@"'
_IN_TASK_FOLDER = 'export PATH; exec sh worker.sh "$PWD" "$@"'
# HTCondor has started the image already, so the launcher, which would start it, is left out.
_IN_CONTAINER = """\
{alone}; export PYTHONNOUSERSITE=1 GRIDGPU_IMAGE={image}; \
command -v python3 >/dev/null || exit 74; \
for key; do set -- "$@" "$PWD/jobs/$key/job.json"; shift; done; \
exec python3 worker.pyz --together {together} "$@\""""


def shell_arguments(scan: ScanSpec, paths: ScanPaths, image: str | None) -> str:
    """Return the arguments of /bin/sh, as a submit description holds them.

    `image` is the image that the jobs run in, or None if they run in none.
    """
    if scan.placement.shared:
        return _arguments(_ON_SHARED_DISK, str(paths.launcher), str(paths.folder))
    # The launcher runs setup lines, also in a container that HTCondor has started.
    if image is None or images.has_setup(scan.environment):
        return _arguments(_IN_TASK_FOLDER)
    # The name that the user gave is what the provenance of a job records.
    name = shlex.quote(scan.container.image or "")
    # Both places are filled in at once, since the name of an image could look like another place.
    return _arguments(
        _IN_CONTAINER.format(alone=images.image_alone(), image=name, together=scan.per_gpu)
    )


def _arguments(script: str, *words: str) -> str:
    """Return the arguments that run a script with words, followed by the keys of the task.

    HTCondor puts the keys of each task in the place of $(keys).
    """
    arguments = ["-c", *(argument(word) for word in (script, "sh", *words)), "$(keys)"]
    return f'"{" ".join(arguments)}"'
