"""Apptainer, and Singularity, as it was called before: the same command line."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_gridgpu.images.base import (
    INSIDE,
    ORAS,
    REGISTRY,
    SANDBOX,
    SIF,
    Bind,
    Fetching,
    Image,
    python3,
)


class Apptainer:
    name = "apptainer"
    programs: tuple[str, ...] = ("apptainer", "singularity")
    kinds = frozenset((SANDBOX, SIF, REGISTRY, ORAS))
    # It hands the whole environment on, but for PATH and LD_LIBRARY_PATH.
    hides: tuple[str, ...] = (
        "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONUSERBASE", "VIRTUAL_ENV", "CONDA_PREFIX", "LD_PRELOAD",
        "JUPYTER_PATH", "JUPYTER_CONFIG_PATH", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR",
        "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "MPLBACKEND",
    )  # fmt: skip

    def command(
        self,
        program: str,
        image: Image | None,
        binds: Sequence[Bind],
        gpus: bool,
        argv: Sequence[str],
    ) -> list[str]:
        """The home folder stays outside; processes, network and devices are those of the node."""
        assert image is not None
        places = [word for bind in binds for word in ("--bind", str(bind))]
        inside = ",".join(f"{name}={value}" for name, value in INSIDE.items())
        return [
            program,
            "exec",
            "--no-home",
            "--env",
            inside,
            *places,
            *["--nv"] * gpus,
            image.source,
            *python3(argv),
        ]

    def fetching(self, program: str, image: Image) -> Fetching | None:
        return None
