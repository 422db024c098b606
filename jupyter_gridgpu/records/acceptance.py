"""What a replay of a foreign scan would make this machine do beyond running the notebook.

Whoever made the scan chose its image, the folders that the image sees, and what is said to the
batch system. Another user takes none of it over unseen: all of it is listed, and the replay is
refused until it is accepted.
"""

from __future__ import annotations

import shlex
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import NotAccepted, UsageError
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.planning.declaration import Options, wording_of
from jupyter_gridgpu.records.record import Record
from jupyter_gridgpu.store import ownership

# Options that say something to a batch system, a container or the network. All others only say how
# many variants run, how often and how long.
TOLD = (
    "on", "image", "runtime", "bind", "queue", "account", "qos", "constraint", "exclude_site",
    "inputs", "out", "attempts", "no_shared_disk", "channel", "engine_option",
    "shared", "env", "secret", "expose_secrets", "setup", "python",
)  # fmt: skip
VALUE_LIMIT = 500  # characters of a value; a longer one is not accepted
LIST_LIMIT = 3000  # characters of the whole list
SHARED = "/cvmfs/"  # where images are that every machine can read


def require_accepted(
    record: Record,
    options: Options,
    given: Mapping[str, Any],
    accepted: bool | tuple[str, ...],
) -> bool:
    """Return whether the scan of a record is foreign.

    `options` are those of the replay, `given` those of them that the user wrote. `accepted` is
    True, or has the options that the user has seen: the scan may have been changed since. Raises
    NotAccepted if the scan is foreign and its own options are not accepted, and UsageError for what
    is never taken over from a foreign scan.
    """
    if ownership.foreign(record.paths.folder) is None:
        return False
    _check_sources(record)
    _check_image(record, options, given)
    told = effects(options, given)
    seen = told if accepted is True else accepted or ()
    if not set(told) <= set(seen):
        raise NotAccepted(record.name, told)
    return True


def effects(options: Options, given: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a foreign scan says to batch systems and containers, as options are written.

    Options that the user gave, and those that are at their default, are left out. Raises UsageError
    for what is too long to be shown.
    """
    told = []
    for name in TOLD:
        declared = Options.__dataclass_fields__[name]
        value = getattr(options, name)
        if name not in given and value != declared.default:
            word = wording_of(declared).words[0]
            values = value if isinstance(value, (tuple, list)) else (value,)
            told += [_written(word, item) for item in values]
    if sum(map(len, told)) > LIST_LIMIT:
        raise UsageError(
            "The scan is somebody else's and says more to batch systems and containers than can"
            " be shown: give --on, --image and --bind yourself."
        )
    return tuple(told)


def _written(word: str, value: Any) -> str:
    """Return an option as a command line has it. Raises UsageError if it is too long."""
    if value is True:
        return word
    text = one_line(str(value), VALUE_LIMIT) or ""
    if len(str(value)) > VALUE_LIMIT:
        raise UsageError(
            f"{word} of the scan is longer than {VALUE_LIMIT:,} characters, and the scan is"
            f" somebody else's: give {word} yourself."
        )
    return f"{word} {shlex.quote(text)}"


def _check_image(record: Record, options: Options, given: Mapping[str, Any]) -> None:
    """Raise UsageError if HTCondor would send a file of this machine that the scan names."""
    image = options.image
    if image is None or "image" in given or options.on != "htcondor" or not options.no_shared_disk:
        return
    if "://" not in image and not image.startswith(SHARED):
        shown = one_line(image, VALUE_LIMIT)
        raise UsageError(
            f"The image of {record.name}, {shown}, would be a file of this machine that HTCondor"
            " sends to its nodes: name it yourself with --image."
        )


def _check_sources(record: Record) -> None:
    """Raise UsageError if a file of a foreign scan may be another file of this machine.

    The files are copied into the new scan and sent to its jobs. A link, or a second name of a file
    that only this user may read, would send that file.
    """
    paths = record.paths
    sources = [paths.notebook, paths.files]
    if paths.files.is_dir() and not paths.files.is_symlink():
        sources += sorted(paths.files.rglob("*"))
    for path in sources:
        if not _is_only_itself(path):
            raise UsageError(
                f"{path} is a link or has a second name, so it may be another file of this"
                " machine, and the scan is somebody else's: it is not run again."
            )


def _is_only_itself(path: Path) -> bool:
    try:
        found = path.lstat()
    except OSError:  # what is missing is refused where it is read
        return True
    return stat.S_ISDIR(found.st_mode) or (stat.S_ISREG(found.st_mode) and found.st_nlink == 1)
