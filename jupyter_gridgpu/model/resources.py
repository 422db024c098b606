"""What one job asks for, in which container it runs, and to which queue it is sent."""

from __future__ import annotations

from dataclasses import dataclass

ANY_RUNTIME, NO_RUNTIME = "auto", "none"
RUNTIMES = (ANY_RUNTIME, "apptainer", "podman", NO_RUNTIME)


@dataclass(frozen=True)
class Resources:
    """What one job asks for.

    None leaves the choice to the batch system. `vram_mb` and `cuda` are the least that each GPU
    must have.
    """

    gpus: int = 0
    memory_mb: int | None = None
    walltime_s: int | None = None
    gpu_model: str | None = None  # a part of the model's name, in any case of letters: A100
    vram_mb: int | None = None
    cuda: str | None = None  # version of CUDA that the driver must know, for example 12.0
    cpus: int | None = None
    disk_mb: int | None = None
    grace_s: int | None = None  # how long saving may take when a job ends early


@dataclass(frozen=True)
class Container:
    """The container image that every job runs in."""

    image: str | None = None  # as the user wrote it; None: the Python of the node, in no container
    digest: str | None = None
    runtime: str = "auto"  # one of RUNTIMES
    binds: tuple[str, ...] = ()  # folders to be seen in it: SRC, SRC:DST or SRC:DST:ro


@dataclass(frozen=True)
class Placement:
    """Where in a batch system jobs go, in the words of that batch system."""

    queue: str | None = None  # a partition of Slurm; a site of PanDA, or several: A,B
    account: str | None = None  # an account of Slurm, an accounting group of HTCondor
    qos: str | None = None  # quality of service, as Slurm calls it
    constraint: str | None = None  # features of Slurm, requirements of HTCondor
    shared: bool = True  # whether nodes see the scan folder; else files travel with the jobs
    exclude: tuple[str, ...] = ()  # sites that PanDA leaves out
    inputs: tuple[str, ...] = ()  # datasets that every job of PanDA gets
    output: str | None = None  # the dataset that PanDA's jobs leave
    attempts: int | None = None  # PanDA's own tries of one job of ours
