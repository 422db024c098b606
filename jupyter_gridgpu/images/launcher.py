"""worker.sh: how a node runs jobs of a scan. Made once a scan; it needs nothing of the node but a POSIX shell.

The command lines are the runtimes' own (`ImageRuntime.command`), written out as shell text.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from jupyter_gridgpu.images.base import (
    ARCHIVE,
    REMOTE,
    SANDBOX,
    SIF,
    WORDS,
    Bind,
    Image,
    ImageRuntime,
    quoted,
    variable,
    within_quotes,
)
from jupyter_gridgpu.images.reference import SIF_MAGIC, SIF_MAGIC_AT

TEMPLATE = Path(__file__).with_name("worker.sh")
FOLDER, TMP, PROGRAM = (variable(name) for name in ("folder", "tmp", "program"))
# One mark that is quickly read and that another image would not have; the worker writes down and compares it.
_MARKS = {
    SANDBOX: " (cd {path} && pwd -P) | sed -n 's#^.*/\\([0-9a-f]\\{{64\\}}\\)\\(/.*\\)*$#\\1#p'",
    ARCHIVE: "dd if={path} bs=4096 count=16 2>/dev/null | cksum",
}

_GPU = """\
gpu=
if [ -e /dev/nvidiactl ] || [ -e /proc/driver/nvidia/version ] || has nvidia-smi; then
    gpu=1
else
    case ${CUDA_VISIBLE_DEVICES:-} in
    "" | -1 | NoDevFiles) fail 75 "A GPU was asked for, and $host has none: no NVIDIA driver, no CUDA_VISIBLE_DEVICES." ;;
    *) say "$host has no NVIDIA driver, though CUDA_VISIBLE_DEVICES is $CUDA_VISIBLE_DEVICES: the notebook may find no GPU." ;;
    esac
fi"""


def script(
    image: Image | None,
    runtimes: Sequence[ImageRuntime],
    binds: Sequence[Bind],
    gpus: bool,
    together: int,
    sender: Path | None = None,
) -> str:
    """Return the text of worker.sh; without an image, the runtimes are those that need none.

    `sender` is a file outside the scan's folder with which jobs send metrics, where the node sees it.
    """
    programs = [program for runtime in runtimes for program in runtime.programs]
    looks = [*_look(image), *_look_at_binds(binds), *_settings(image)] if image else []
    blocks = {
        "LOOK": "\n".join([*looks, *[_GPU] * gpus, *_sending(sender)]),
        "PROGRAMS": " ".join(map(shlex.quote, programs)),
        "RUN": "\n    ".join(
            line for runtime in runtimes for line in _case(runtime, image, binds, gpus, together)
        ),
        "NONE": f'72 "$host has no {" or ".join(programs)} to run {_words(image)}."'
        if image
        else '74 "$host has no python3."',
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    for name, block in blocks.items():
        text = text.replace(f"#{name}#", block)
    return text


def _sending(sender: Path | None) -> list[str]:
    """The line that hands on what an image does not see; it never stands in a command."""
    if sender is None:
        return []
    path = shlex.quote(str(sender))
    return [
        f"if [ -r {path} ] && [ ! -e sender.json ]; then GRIDGPU_SENDER=$(cat {path}); export GRIDGPU_SENDER; fi"
    ]


def _words(image: Image | None) -> str:
    return "" if image is None else within_quotes(f"{image.ref} ({WORDS[image.kind]})")


def _look(image: Image) -> list[str]:
    """What is to be seen of an image on the node, before a runtime says it in words of its own."""
    path, name = shlex.quote(str(image.path)), within_quotes(str(image.path))
    if image.kind in REMOTE:
        return []
    lines = [
        f'[ -r {path} ] || fail 73 "The image {name} is not there on $host, or may not be read."'
    ]
    if image.kind == SANDBOX:
        lines.append(
            f'{{ [ -e {path}/bin ] || [ -L {path}/bin ]; }} || fail 73 "{name} on $host is no image: it has no bin."'
        )
    if image.kind == SIF:
        magic = f"$(dd if={path} bs=1 skip={SIF_MAGIC_AT} count={len(SIF_MAGIC)} 2>/dev/null)"
        lines.append(
            f'[ "{magic}" = {SIF_MAGIC.decode()} ] || fail 73 "{name} on $host is no SIF."'
        )
    return lines


def _look_at_binds(binds: Sequence[Bind]) -> list[str]:
    line = 'case $folder in *[:,]*) fail 73 "No container can be given a folder with such a name: $folder" ;; esac'
    sources = [(shlex.quote(bind.source), within_quotes(bind.source)) for bind in binds]
    return [
        line,
        *(
            f'[ -e {path} ] || fail 73 "$host has no {name}, which --bind asks for."'
            for path, name in sources
        ),
    ]


def _settings(image: Image) -> list[str]:
    """What the runtimes and the worker are told: a temporary folder of the node, and which image it is."""
    mark = _MARKS.get(ARCHIVE if image.kind == SIF else image.kind, "true").format(
        path=shlex.quote(str(image.path))
    )
    return [
        "tmp=${TMPDIR:-/tmp}",
        '{ [ -d "$tmp" ] && [ -w "$tmp" ]; } || tmp=/tmp',
        f"GRIDGPU_IMAGE={shlex.quote(image.ref)} GRIDGPU_IMAGE_MARK=$({mark})",
        "export GRIDGPU_IMAGE GRIDGPU_IMAGE_MARK",
    ]


def _case(
    runtime: ImageRuntime, image: Image | None, binds: Sequence[Bind], gpus: bool, together: int
) -> list[str]:
    """The lines that run jobs with one runtime."""
    places = [Bind(FOLDER, FOLDER), Bind(TMP, "/tmp"), *binds]
    argv = [f"{FOLDER}/worker.pyz", "--together", str(together)]

    def command(gpus: bool) -> str:
        words = runtime.command(PROGRAM, image, places, gpus, argv)
        return f'exec {" ".join(map(quoted, words))} "$@"'

    lines = [
        *_fetch(runtime, image),
        f"unset {' '.join(runtime.hides)}" if runtime.hides else "",
        "log",
    ]
    with_gpus, without = command(gpus=True), command(gpus=False)
    lines += [f'if [ -n "$gpu" ]; then {with_gpus}; fi'] if gpus and with_gpus != without else []
    body = [line for line in [*lines, without] if line]
    return [
        f"{' | '.join(map(shlex.quote, runtime.programs))})",
        *(f"    {line}" for line in body),
        "    ;;",
    ]


def _fetch(runtime: ImageRuntime, image: Image | None) -> list[str]:
    """The lines that get an image of a registry to the node, where the runtime does not do that when it is started."""
    fetching = runtime.fetching(PROGRAM, image) if image else None
    if fetching is None:
        return []
    have, get, digest = (
        " ".join(map(quoted, words)) for words in (fetching.have, fetching.get, fetching.digest)
    )
    return [
        f"if ! {have} >/dev/null 2>&1; then",
        f'    words=$({get} 2>&1) || fail 73 "$host cannot get {_words(image)}: $(echo "$words" | tail -n 1)"',
        "fi",
        f"GRIDGPU_IMAGE_MARK=$({digest} 2>/dev/null)",
    ]
