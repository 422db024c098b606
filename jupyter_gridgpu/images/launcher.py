"""Writes worker.sh, the script with which a node runs jobs of a scan.

The script is written once for a scan, and a node needs nothing but a POSIX shell to run it. Its
text is the file worker.sh beside this module, with a few places that are filled in here. The
command lines come from the runtimes (`ImageRuntime`), and are written as shell text.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_gridgpu.images.base import (
    ARCHIVE,
    KIND_TEXTS,
    REMOTE_KINDS,
    SANDBOX,
    SIF,
    Bind,
    Image,
    ImageRuntime,
)
from jupyter_gridgpu.images.hidden import hiding, own_path
from jupyter_gridgpu.images.reference import SIF_MAGIC, SIF_MAGIC_AT
from jupyter_gridgpu.images.setup import Setup
from jupyter_gridgpu.images.shell import command_line, filled, quoted, variable, within_quotes
from jupyter_gridgpu.images.temporary_folder import TEMPORARY_TARGETS, temporary_folder_lines
from jupyter_gridgpu.worker.image import NAME_VARIABLE, VERSION_VARIABLE

NO_SETUP = Setup()
TEMPLATE = Path(__file__).with_name("worker.sh")
# Values that only the node knows: the scan's folder, the key of a job, the temporary folder of the
# jobs, and the program of the runtime that it has.
FOLDER = variable("folder")
KEY = variable("key")
TEMPORARY_FOLDER = variable("tmp")
PROGRAM = variable("program")
# Folders of each job to which a container may write; the rest of the scan's folder is read-only.
WRITABLE = (f"{FOLDER}/jobs/{KEY}",)
# Files in these folders that this machine trusts when it starts the job again.
PROTECTED = (f"{FOLDER}/jobs/{KEY}/job.json", f"{FOLDER}/jobs/{KEY}/claim.json")

# Shell commands that print which image the node has. They are cheap, since every job runs one, and
# print something that another image is unlikely to have: the digest by which CVMFS names a folder,
# and a check sum of the first 64 kB of a file.
_CVMFS_DIGEST = " (cd {path} && pwd -P) | sed -n 's#^.*/\\([0-9a-f]\\{{64\\}}\\)\\(/.*\\)*$#\\1#p'"
_HEAD_CHECKSUM = "dd if={path} bs=4096 count=16 2>/dev/null | cksum"
_WHICH_IMAGE = {SANDBOX: _CVMFS_DIGEST, SIF: _HEAD_CHECKSUM, ARCHIVE: _HEAD_CHECKSUM}

# A job whose batch system gave it a GPU is tried on a node without a driver, too: the batch system
# knows better what its nodes have.
_GPU_CHECK = """\
gpu=
if [ -e /dev/nvidiactl ] || [ -e /proc/driver/nvidia/version ] || has nvidia-smi; then
    gpu=1
else
    case ${CUDA_VISIBLE_DEVICES:-} in
    "" | -1 | NoDevFiles)
        fail 75 "A GPU was asked for, and $host has none:\
 no NVIDIA driver, no CUDA_VISIBLE_DEVICES."
        ;;
    *)
        say "$host has no NVIDIA driver, though CUDA_VISIBLE_DEVICES is $CUDA_VISIBLE_DEVICES:\
 the notebook may find no GPU."
        ;;
    esac
fi"""


# The Python of this machine may be on the node without a library that it needs, or be made for
# another kind of processor.
_TRIAL = """\
if ! why=$("$program" -c "" 2>&1); then
    say "$program does not start on $host, so its python3 is taken: $why"
    continue
fi"""


@dataclass(frozen=True)
class Launch:
    """What worker.sh has to know of the jobs that it starts, besides image and folders."""

    gpus: bool  # whether jobs need a GPU
    together: int  # how many of the script's jobs run at the same time
    # A file outside the scan's folder, with which jobs send metrics on nodes that see it.
    sender: Path | None = None
    secrets: Path | None = None  # such a file with the secrets of the scan
    # The image, as the user named it, whose container somebody else starts before the script.
    started: str | None = None
    setup: Setup = NO_SETUP  # what runs before the worker


def script(
    image: Image | None, runtimes: Sequence[ImageRuntime], binds: Sequence[Bind], launch: Launch
) -> str:
    """Return the text of worker.sh. Without an image, `runtimes` are those that need none."""
    if launch.secrets is not None:
        # A container sees the file at its place.
        binds = [*binds, Bind(str(launch.secrets), str(launch.secrets), readonly=True)]
    programs: list[str] = []
    cases: list[str] = []
    for runtime in runtimes:
        programs += runtime.programs
        cases += _case(runtime, image, binds, launch)
    places = {
        "CHECKS": "\n".join(_checks(image, binds, launch)),
        "PROGRAMS": " ".join(map(quoted, programs)),
        "CASES": "\n    ".join(cases),
        "NO_PROGRAM": _no_program(image, programs, launch),
        **launch.setup.places(),
    }
    return filled(TEMPLATE, places)


def _checks(image: Image | None, binds: Sequence[Bind], launch: Launch) -> list[str]:
    """Return the lines that look at the node, and set what the worker reads."""
    lines: list[str] = []
    if launch.secrets is not None:
        lines.append(_secrets_check(launch.secrets))
    if image is not None:
        lines += [*_image_checks(image), *_bind_checks(binds), *_settings(image)]
        lines += temporary_folder_lines(binds)
    else:
        lines += _settings_without_runtime(launch.started)
    if launch.gpus:
        lines.append(_GPU_CHECK)
    if launch.sender is not None:
        lines.append(_sender_line(launch.sender))
    return lines


def _no_program(image: Image | None, programs: Sequence[str], launch: Launch) -> str:
    """Return the words of `fail` for a node that has none of the programs."""
    if image is not None:
        return f'72 "$host has no {" or ".join(programs)} to run {_image_text(image)}."'
    if launch.started is not None:
        return f'74 "The image {within_quotes(launch.started)} has no python3."'
    return launch.setup.no_program() or '74 "$host has no python3."'


def _sender_line(sender: Path) -> str:
    """Return the line that hands the sender's file on as a variable."""
    path = shlex.quote(str(sender))
    # A container does not see the file, so the shell puts its content into a variable. Only the
    # path stands in the script: other users can read commands. Where files travel with the job,
    # sender.json has come with them, and this variable is not needed.
    return (
        f"if [ -r {path} ] && [ ! -e sender.json ];"
        f" then GRIDGPU_SENDER=$(cat {path}); export GRIDGPU_SENDER; fi"
    )


def _secrets_check(secrets: Path) -> str:
    """Return the line that ends the launcher where the scan's secrets cannot be read.

    Where files travel with the job, they lie in the scan's folder.
    """
    path, name = shlex.quote(str(secrets)), shlex.quote(secrets.name)
    return (
        f"[ -r {path} ] || [ -r {name} ] ||"
        f' fail 71 "This node, $host, does not see the secrets of the scan,'
        f' {within_quotes(str(secrets))}: JUPYTER_CONFIG_DIR must be on a disk that nodes share."'
    )


def _image_text(image: Image) -> str:
    """Return what messages call an image, as text between double quotes."""
    return within_quotes(f"{image.ref} ({KIND_TEXTS[image.kind]})")


def _image_checks(image: Image) -> list[str]:
    """Return lines that look at the image on the node.

    A runtime would find the same mistakes, but each one reports them in another way.
    """
    if image.kind in REMOTE_KINDS:
        return []
    path = shlex.quote(str(image.path))
    name = within_quotes(str(image.path))
    lines = [
        f'[ -r {path} ] || fail 73 "The image {name} is not there on $host, or may not be read."'
    ]
    if image.kind == SANDBOX:
        # /bin may be a link that leads nowhere outside the image.
        lines.append(
            f"{{ [ -e {path}/bin ] || [ -L {path}/bin ]; }} ||"
            f' fail 73 "{name} on $host is no image: it has no bin."'
        )
    if image.kind == SIF:
        magic = f"$(dd if={path} bs=1 skip={SIF_MAGIC_AT} count={len(SIF_MAGIC)} 2>/dev/null)"
        lines.append(
            f'[ "{magic}" = {SIF_MAGIC.decode()} ] || fail 73 "{name} on $host is no SIF."'
        )
    return lines


def _bind_checks(binds: Sequence[Bind]) -> list[str]:
    """Return lines that look at the folders that the container gets."""
    # The scan's folder is a bind, too, and no runtime can quote these characters in one.
    lines = [
        r"case $folder in *[:,\"\\]*)"
        ' fail 73 "No container can be given a folder with such a name: $folder" ;; esac'
    ]
    for bind in binds:
        path = shlex.quote(bind.source)
        name = within_quotes(bind.source)
        lines.append(f'[ -e {path} ] || fail 73 "$host has no {name}, which --bind asks for."')
    return lines


def _settings(image: Image) -> list[str]:
    """Return lines that tell the worker which image it runs in."""
    which_image = _WHICH_IMAGE.get(image.kind, "true").format(path=shlex.quote(str(image.path)))
    return [
        f"{NAME_VARIABLE}={shlex.quote(image.ref)} {VERSION_VARIABLE}=$({which_image})",
        f"export {NAME_VARIABLE} {VERSION_VARIABLE}",
    ]


def _settings_without_runtime(started: str | None) -> list[str]:
    """Return lines that tell the worker which image somebody else has started, if any.

    What the sender's own shell says about an image is nothing that this job runs in.
    """
    lines = [f"unset {NAME_VARIABLE} {VERSION_VARIABLE}"]
    if started is not None:
        name = shlex.quote(started)
        lines += [f"export {NAME_VARIABLE}={name} PYTHONNOUSERSITE=1", own_path()]
    return lines


def _case(
    runtime: ImageRuntime, image: Image | None, binds: Sequence[Bind], launch: Launch
) -> list[str]:
    """Return the lines that run jobs with one runtime, as a branch of the script's `case`."""
    inside = runtime.inside(image, [f"{FOLDER}/worker.pyz", "--together", str(launch.together)])
    starts = [
        runtime.options(PROGRAM, _mounts(binds), with_gpus, FOLDER) for with_gpus in (True, False)
    ]
    lines = []
    if image is not None:
        lines += [*_fetch_lines(runtime, image), "temporary_folder"]
    if runtime.hidden_variables:
        lines.append(hiding(runtime.hidden_variables))
    if image is None:
        # Each program but the last is tried, and the last as well if the user has named it.
        trial = _TRIAL if len(runtime.programs) > 1 else launch.setup.trial()
        lines += trial.splitlines()
    lines.append("log")
    if image is None:
        starts = [[*start, *inside] for start in starts]
    else:
        lines += _job_lines(runtime, inside)
    with_gpus, without = map(_exec_line, starts)
    # A runtime without a container has the same command either way.
    if launch.gpus and with_gpus != without:
        lines.append(f'if [ -n "$gpu" ]; then {with_gpus}; fi')
    lines.append(without)
    programs = " | ".join(map(quoted, runtime.programs))
    return [f"{programs})", *(f"    {line}" for line in lines), "    ;;"]


def _mounts(binds: Sequence[Bind]) -> list[Bind]:
    """Return what containers see of the node besides the folders of their jobs."""
    targets = {bind.target for bind in binds}
    temporary = [Bind(TEMPORARY_FOLDER, place) for place in TEMPORARY_TARGETS]
    # The scan's folder comes last: the user may bind a folder around it, like the home.
    return [
        *(bind for bind in temporary if bind.target not in targets),
        *binds,
        Bind(FOLDER, FOLDER, readonly=True),
    ]


def _job_lines(runtime: ImageRuntime, inside: Sequence[str]) -> list[str]:
    """Return lines that put the mounts of each job, and the words `inside`, before the jobs.

    How many jobs there are is known on the node only, so the shell makes these words.
    """
    lines = [f'set -- {command_line(inside)} "$@"', "for key in $keys; do"]
    # Each `set` puts words before those that are there, so what is mounted last comes first here.
    for path in PROTECTED:
        mount = command_line(runtime.mount(Bind(path, path, readonly=True)))
        lines.append(f'    if plain {quoted(path)}; then set -- {mount} "$@"; fi')
    for path in WRITABLE:
        mount = command_line(runtime.mount(Bind(path, path)))
        lines.append(f'    if [ -d {quoted(path)} ]; then set -- {mount} "$@"; fi')
    test, words = runtime.hide_processes
    return [*lines, "done", f'if {test}; then set -- {command_line(words)} "$@"; fi']


def _exec_line(words: Sequence[str]) -> str:
    """Return the line that replaces the shell by the worker, for the jobs in "$@".

    Since it is replaced (`exec`), the signals of a batch system reach the worker.
    """
    return f'exec {command_line(words)} "$@"'


def _fetch_lines(runtime: ImageRuntime, image: Image) -> list[str]:
    """Return the lines that get an image to the node, if the runtime needs commands for that."""
    commands = runtime.fetch_commands(PROGRAM, image)
    if commands is None:
        return []
    return [
        f"if ! {command_line(commands.exists)} >/dev/null 2>&1; then",
        f"    output=$({command_line(commands.fetch)} 2>&1) ||"
        f' fail 73 "$host cannot get {_image_text(image)}: $(echo "$output" | tail -n 1)"',
        "fi",
        f"{VERSION_VARIABLE}=$({command_line(commands.digest)} 2>/dev/null)",
    ]
