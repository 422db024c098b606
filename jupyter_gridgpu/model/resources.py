"""What one job asks for, in which container it runs, and where in an engine it goes."""

from __future__ import annotations

from dataclasses import dataclass

RUNTIMES = ("auto", "apptainer", "podman", "none")


@dataclass(frozen=True)
class Resources:
    """What one job asks for. GPU properties are those of each single GPU, at least."""

    gpus: int = 0
    memory_mb: int | None = None
    walltime_s: int | None = None
    gpu_model: str | None = None  # a part of the model's name, whatever its case: A100
    vram_mb: int | None = None
    cuda: str | None = None  # like 12.0
    cpus: int | None = None
    disk_mb: int | None = None


@dataclass(frozen=True)
class Container:
    """The image that every job runs in, as the user wrote it; none means the Python of the node."""

    image: str | None = None
    digest: str | None = None
    runtime: str = "auto"
    binds: tuple[str, ...] = ()  # SRC, SRC:DST or SRC:DST:ro


@dataclass(frozen=True)
class Placement:
    """Where in an engine jobs go, in the engine's own words."""

    queue: str | None = None  # a Slurm partition, a site of PanDA or several: A,B
    account: str | None = None  # a Slurm account, an HTCondor accounting group
    qos: str | None = None
    constraint: str | None = None  # Slurm features, HTCondor requirements
    shared: bool = True  # whether nodes see the scan folder; else files travel with the jobs
    exclude: tuple[str, ...] = ()  # sites that PanDA is to leave out
    inputs: tuple[str, ...] = ()  # datasets that every job of PanDA gets
    output: str | None = None  # the dataset that PanDA's jobs leave
    attempts: int | None = None  # of PanDA itself at one job
