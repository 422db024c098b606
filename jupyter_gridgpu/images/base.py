"""The protocol of a container runtime, and the types for images and bound folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

# The kinds of images. SANDBOX is an unpacked image, ORAS a SIF that lies in a registry.
SANDBOX, SIF, ARCHIVE, REGISTRY, ORAS = "sandbox", "sif", "archive", "registry", "oras"
REMOTE_KINDS = (REGISTRY, ORAS)
KIND_TEXTS = {
    SANDBOX: "an unpacked image folder",
    SIF: "a SIF",
    ARCHIVE: "an image archive",
    REGISTRY: "an image of a registry",
    ORAS: "a SIF of a registry",
}
# Variables of the calling shell that a job in a container needs: those of the batch system and of
# GPUs, those that say how frameworks work, and the proxies through which the job reaches the
# network. A star stands for any text.
PASSED_VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
    "GPU_DEVICE_ORDINAL",
    "ROCR_VISIBLE_DEVICES",
    "OMP_*",
    "GOMP_*",
    "KMP_*",
    "MKL_*",
    "OPENBLAS_*",
    "NUMEXPR_*",
    "NCCL_*",
    "TF_*",
    "KERAS_*",
    "XLA_*",
    "JAX_*",
    "TORCH_*",
    "PYTORCH_*",
    "GRIDGPU_*",
    "SLURM_*",
    "_CONDOR_*",
    "PANDA_*",
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "FTP_PROXY",
    "NO_PROXY",
    "TZ",
)
# Variables that are set in every container: Python takes no packages from the user's home, and the
# temporary folder is one that exists there.
SET_VARIABLES = {"PYTHONNOUSERSITE": "1", "TMPDIR": "/tmp"}


@dataclass(frozen=True)
class Image:
    """An image: the text of the user (`ref`), and the name for the runtimes (`source`).

    `seen` is False for a path that this machine does not have. For an image of a registry it is
    True, since no registry is asked. `image_id` is the runtimes' name of the image in an archive;
    None for other kinds, or if the archive is not here.
    """

    ref: str
    kind: str
    source: str  # a whole path, oci-archive:/whole/path, docker://name or oras://name
    seen: bool = True
    image_id: str | None = None

    @property
    def path(self) -> Path:
        """Where the image is on disk. It means nothing for an image of a registry."""
        if self.kind == ARCHIVE:
            return Path(self.source.partition(":")[2])
        return Path(self.source)


@dataclass(frozen=True)
class Bind:
    """A folder or file of the node that is seen in the container."""

    source: str
    target: str
    readonly: bool = False

    def __str__(self) -> str:
        text = f"{self.source}:{self.target}"
        if self.readonly:
            text += ":ro"
        return text


@dataclass(frozen=True)
class FetchCommands:
    """The commands with which a runtime gets an image to the node.

    `exists` succeeds if the image is there, `fetch` gets it, and `digest` prints its digest.
    """

    exists: Sequence[str]
    fetch: Sequence[str]
    digest: Sequence[str]


class ImageRuntime(Protocol):
    """A way to run a command in an image, as a user without privileges, the image read-only.

    A node takes the first of `programs` that it has, and every command begins with that program.
    """

    name: str
    programs: tuple[str, ...]
    kinds: frozenset[str]  # of images that it runs
    # Variables that are removed before the start: they would do harm inside. A star stands for any
    # text.
    hidden_variables: tuple[str, ...]
    # A test of the shell, in which $program is the program, and the words of a command that hide
    # the node's processes from a container. Where the test succeeds, a container would reach the
    # files of the node through /proc/PID/root, unless it does not see other processes.
    hide_processes: tuple[str, tuple[str, ...]]

    def options(self, program: str, binds: Sequence[Bind], gpus: bool, folder: str) -> list[str]:
        """Return the first part of a command: the program and its options, the mounts last.

        The words of `inside` follow, perhaps after more words of `mount`. Python starts in
        `folder`, where the caller must be, too. It sees GPUs if `gpus` is true.
        """
        ...

    def inside(self, image: Image | None, argv: Sequence[str]) -> list[str]:
        """Return the rest of a command: the image, and its python3 with the arguments `argv`."""
        ...

    def mount(self, bind: Bind) -> list[str]:
        """Return the words of a command that make a container see a folder or file.

        A later bind covers what an earlier one put in its place.
        """
        ...

    def fetch_commands(self, program: str, image: Image) -> FetchCommands | None:
        """Return how an image gets to the node.

        None means that nothing is to be done: the image is there, or its first start fetches it.
        """
        ...


def python3_command(argv: Sequence[str]) -> list[str]:
    """Return the command that is run in a container: python3 with the arguments `argv`.

    The command ends with exit code 74 if the image has no python3.
    """
    # The shell that starts Python also looks whether there is one. To start a container of its own
    # for that would cost seconds.
    look = (
        "command -v python3 >/dev/null 2>&1 ||"
        ' { echo "The image has no python3." >&2; exit 74; }; exec python3 "$@"'
    )
    return ["sh", "-c", look, "sh", *argv]
