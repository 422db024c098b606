"""The temporary folder that jobs in a container get on their node."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from jupyter_gridgpu.images.base import Bind

TEMPORARY_TARGETS = ("/tmp", "/var/tmp")

# Programs of the node keep sockets in its temporary folder, by which an image could reach out of
# its container. So the jobs get a folder of their own there. Its name has the number of this
# process, which becomes the runtime: the next launcher removes what ended jobs left.
_TEMPORARY_FOLDER = """\
temporary_folder() {
    tmp=${TMPDIR:-/tmp}
    { [ -d "$tmp" ] && [ -w "$tmp" ]; } || tmp=/tmp
    for old in "$tmp/gridgpu-tmp-$host-"*; do
        number=${old##*-}
        if [ "$number" = $$ ] || ! kill -0 "$number" 2>/dev/null; then rm -rf "$old" 2>/dev/null; fi
    done
    tmp=$tmp/gridgpu-tmp-$host-$$
    mkdir -m 700 "$tmp" || fail 71 "$host cannot make a temporary folder, $tmp."
    # A runtime may be unable to make the places of what is mounted inside another mount.
    case $folder in
    /tmp/*) mkdir -p "$tmp/${folder#/tmp/}" ;;
    /var/tmp/*) mkdir -p "$tmp/${folder#/var/tmp/}" ;;
    esac"""


def temporary_folder(pid: int) -> Path:
    """Return the temporary folder that a launcher on this machine made, by its process number."""
    root = os.environ.get("TMPDIR") or "/tmp"
    if not os.path.isdir(root) or not os.access(root, os.W_OK):
        root = "/tmp"
    return Path(root) / f"gridgpu-tmp-{os.uname().nodename}-{pid}"


def temporary_folder_lines(binds: Sequence[Bind]) -> list[str]:
    """Return a function of the shell that makes a temporary folder for these jobs alone."""
    lines = [_TEMPORARY_FOLDER]
    for bind in binds:
        inside = _below_temporary(bind.target)
        if inside is not None:
            place, source = f'"$tmp"/{shlex.quote(inside)}', shlex.quote(bind.source)
            lines.append(
                f"    if [ -d {source} ]; then mkdir -p {place};"
                f' else mkdir -p "$(dirname {place})" && : >{place}; fi'
            )
    return [*lines, "}"]


def _below_temporary(target: str) -> str | None:
    """Return a path of a container relative to its temporary folder, or None if it is elsewhere."""
    for folder in TEMPORARY_TARGETS:
        if target.startswith(f"{folder}/"):
            return target[len(folder) + 1 :]
    return None
