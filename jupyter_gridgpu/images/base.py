"""What an image is, where it is, and what a container runtime must know to run a worker in one."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

SANDBOX, SIF, ARCHIVE, REGISTRY, ORAS = "sandbox", "sif", "archive", "registry", "oras"
REMOTE = (REGISTRY, ORAS)
WORDS = {
    SANDBOX: "an unpacked image folder",
    SIF: "a SIF",
    ARCHIVE: "an image archive",
    REGISTRY: "an image of a registry",
    ORAS: "a SIF of a registry",
}
# Of the calling shell's environment, what a job in a container needs: who started it, its GPUs, the way out.
PASSED = (
    "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "ROCR_VISIBLE_DEVICES", "OMP_NUM_THREADS",
    "GRIDGPU_*", "SLURM_*", "_CONDOR_*", "PANDA_*", "http_proxy", "https_proxy", "ftp_proxy", "no_proxy",
    "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "TZ",
)  # fmt: skip
# What is set inside: no Python packages from the user's home, and a temporary folder that is there.
INSIDE = {"PYTHONNOUSERSITE": "1", "TMPDIR": "/tmp"}


@dataclass(frozen=True)
class Image:
    """An image as the user named it and as the runtimes are told."""

    ref: str
    kind: str
    source: str  # a whole path, oci-archive:/whole/path, docker://name
    seen: bool = True  # whether it is there on this machine; of a registry, it is not known
    ident: str | None = None  # of an archive that was seen: what runtimes call the image in it

    @property
    def path(self) -> Path:
        """Where it is on disk; of no use for an image of a registry."""
        return Path(self.source.partition(":")[2] if self.kind == ARCHIVE else self.source)


@dataclass(frozen=True)
class Bind:
    """A folder or file of the node that is seen in the container."""

    source: str
    target: str
    readonly: bool = False

    def __str__(self) -> str:
        return f"{self.source}:{self.target}{':ro' if self.readonly else ''}"


@dataclass(frozen=True)
class Fetching:
    """How a runtime gets an image to the node: is it there, get it, what is it exactly (prints a digest)."""

    have: Sequence[str]
    get: Sequence[str]
    digest: Sequence[str]


class ImageRuntime(Protocol):
    """A way to run a command in an image, as a user without privileges, the image read-only."""

    name: str
    programs: tuple[
        str, ...
    ]  # looked for on the node, the best first; a command begins with the one that was found
    kinds: frozenset[str]  # of images that it runs
    hides: tuple[str, ...]  # variables that would get in and do harm there

    def command(
        self,
        program: str,
        image: Image | None,
        binds: Sequence[Bind],
        gpus: bool,
        argv: Sequence[str],
    ) -> list[str]:
        """Return the command that runs the image's python3 with `argv`, in the folder of the first bind."""
        ...

    def fetching(self, program: str, image: Image) -> Fetching | None:
        """Return how the image gets to the node; None where `command` sees to it, or it is there anyway."""
        ...


def python3(argv: Sequence[str]) -> list[str]:
    """Return what is run in a container; looking for Python there costs no start of another one."""
    look = 'command -v python3 >/dev/null 2>&1 || { echo "The image has no python3." >&2; exit 74; }; exec python3 "$@"'
    return ["sh", "-c", look, "sh", *argv]


def variable(name: str) -> str:
    """Return a shell variable as a part of a word, to be told apart from what stands there by itself."""
    return f"\0{name}\0"


def quoted(word: str) -> str:
    """Return a word as shell text: literally as it is, but for its variables."""
    parts = word.split("\0")
    if len(parts) == 1:
        return shlex.quote(word)
    return (
        '"'
        + "".join(
            f"${{{part}}}" if index % 2 else within_quotes(part) for index, part in enumerate(parts)
        )
        + '"'
    )


def within_quotes(words: str) -> str:
    """Return words as they stand within double quotes of a shell."""
    return "".join(f"\\{char}" if char in '\\"$`' else char for char in words)
