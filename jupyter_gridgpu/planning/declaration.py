"""The options of a scan, declared once for the command line, the magic, the form and Python.

A new option is one field of `Options`: its click option and its field in the form are made from it.
"""

# This module does not postpone annotations: click's types are made from the types of the fields.

from dataclasses import Field, InitVar, dataclass, field
from typing import Any, TypeVar

Value = TypeVar("Value")
WORDING = "wording"  # the key of an option's Wording in the metadata of its field

# Options that a replay does not have, since it has the points and the files of its origin.
NOT_FOR_A_REPLAY = (
    "maximize", "minimize", "trials", "points", "warm_start", "sampler", "seed", "files",
)  # fmt: skip

# Options that an import does not have: its points are given, and it always makes another scan.
NOT_FOR_AN_IMPORT = ("trials", "points", "warm_start", "sampler", "seed", "new")


@dataclass(frozen=True)
class Wording:
    """How an option is written on a command line, and what its help says."""

    words: tuple[str, ...]  # like --queue, --partition, --site; the first is the usual one
    metavar: str | None  # stands for the value in the help; None: click's name of the type
    help_text: str
    old_word: (
        str | None
    )  # the word of an earlier version; it is understood, but the help does not show it


def option(default: Value, usage: str, help_text: str, old_word: str | None = None) -> Value:
    """Return a dataclass field with this default, which is also an option of the command line.

    `usage` is written as in a manual: `--queue --partition NAME`. The return type is that of the
    default, as for `dataclasses.field`, so that type checkers know the types of the options.
    """
    parts = usage.split()
    words = tuple(part for part in parts if part.startswith("--"))
    metavar = " ".join(parts[len(words) :]) or None
    wording = Wording(words, metavar, help_text, old_word)
    return field(default=default, metadata={WORDING: wording})


def wording_of(declared: Field[Any]) -> Wording:
    """Return the Wording of a field of `Options`."""
    wording = declared.metadata[WORDING]
    assert isinstance(wording, Wording)
    return wording


@dataclass(frozen=True)
class Options:
    """The options of the magic, the command and `gridscan()`, under the same names.

    Sizes are texts like `40GB` or numbers of MB, times are texts like `2h` or numbers of seconds.
    """

    maximize: tuple[str, ...] | str | None = option(
        (),
        "--maximize NAME",
        "Metric to make large; max(NAME) counts its best epoch, NAME its last; may be repeated.",
    )
    minimize: tuple[str, ...] | str | None = option(
        (), "--minimize NAME", "Metric to make small; may be repeated."
    )
    trials: int | None = option(None, "--trials N", "Points to try; not needed for a grid.")
    points: str | None = option(
        None, "--points FILE", "CSV or JSON file with points of your own, which come first."
    )
    warm_start: tuple[str, ...] = option(
        (),
        "--warm-start SCAN",
        "Earlier scan whose results the sampler learns from; may be repeated.",
    )
    sampler: str | None = option(
        None,
        "--sampler KIND",
        "grid, random, sobol, tpe, nsgaii or cmaes. Default: grid where it fits, else tpe.",
    )
    seed: int = option(0, "--seed", "Seed of the sampler.")
    on: str = option(
        "local",
        "--on BACKEND",
        "Where jobs run: local, slurm, htcondor, panda, auto, or the name of a profile.",
    )
    parallel: int | None = option(
        None, "--parallel N", "Jobs at once. Default here: one per GPU, or half the cores."
    )
    per_gpu: int = option(1, "--per-gpu N", "Jobs that share one GPU.")
    per_job: int = option(1, "--per-job N", "Variants that one job runs in turn.")
    no_prefork: bool = option(
        False, "--no-prefork", "Start every kernel anew, though it takes longer, and fork none."
    )
    gpus: int = option(0, "--gpus N", "GPUs that one job needs.")
    gpu_model: str | None = option(None, "--gpu-model NAME", "GPU that a job needs, like A100.")
    vram: str | int | None = option(None, "--vram SIZE", "Least memory of one GPU, like 40GB.")
    cuda: str | float | None = option(
        None, "--cuda VERSION", "Least CUDA version that the driver knows, like 12.0."
    )
    cpus: int | None = option(None, "--cpus N", "Processor cores of one job.")
    retries: int = option(0, "--retries N", "Further attempts after a failure.")
    max_failures: str | int | None = option(
        "5",
        "--max-failures N",
        "Stop if the first N variants all fail with the same cause; none: never stop.",
    )
    walltime: str | int | None = option(
        None, "--walltime TIME", "Longest time of one job, like 30min or 2h."
    )
    grace: str | int | None = option(
        None, "--grace TIME", "How long a job that ends early may take to save, like 2min."
    )
    memory: str | int | None = option(None, "--memory SIZE", "Largest memory of one job, like 4GB.")
    disk: str | int | None = option(None, "--disk SIZE", "Disk space of one job, like 10GB.")
    image: str | None = option(
        None,
        "--image IMAGE",
        "Container image of all jobs: a .sif file, an unpacked folder, docker://NAME.",
    )
    runtime: str = option("auto", "--runtime KIND", "apptainer, podman or none.")
    bind: tuple[str, ...] = option(
        (), "--bind SRC[:DST[:ro]]", "Folder that jobs see in the image; may be repeated."
    )
    queue: str | None = option(
        None,
        "--queue --partition --site NAME",
        "Queue: a Slurm partition, a PanDA site or several.",
    )
    exclude_site: tuple[str, ...] = option(
        (), "--exclude-site SITE", "Site that PanDA leaves out; may be repeated."
    )
    inputs: tuple[str, ...] = option(
        (), "--in DATASET", "Dataset that every PanDA job gets; may be repeated."
    )
    out: str | None = option(
        None, "--out DATASET", "Dataset for what PanDA jobs leave: user.NAME. and what you like."
    )
    # One attempt of ours is one PanDA job, which PanDA itself may try several times.
    attempts: int | None = option(
        None, "--attempts N", "PanDA's own number of tries of one job. Default: 3."
    )
    account: str | None = option(
        None, "--account NAME", "Account that pays: Slurm's, HTCondor's or PanDA's group."
    )
    qos: str | None = option(None, "--qos NAME", "Quality of service (Slurm).")
    constraint: str | None = option(
        None,
        "--constraint WORDS",
        "What nodes must have: Slurm's features, HTCondor's requirements.",
    )
    no_shared_disk: bool = option(
        False,
        "--no-shared-disk",
        "Nodes do not see the scan's folder: files travel with the jobs.",
    )
    shared: tuple[str, ...] = option(
        (),
        "--shared FOLDER",
        "Folder that nodes see, where they do not see the scan's; may be repeated.",
    )
    engine_option: tuple[str, ...] = option(
        (),
        "--engine-option WORDS",
        "Option of the batch system in its own words; may be repeated.",
    )
    env: tuple[str, ...] = option(
        (), "--env NAME[=VALUE]", "Variable that jobs get; may be repeated."
    )
    secret: tuple[str, ...] = option(
        (), "--secret NAME", "Variable that jobs get and no record holds; may be repeated."
    )
    expose_secrets: bool = option(
        False,
        "--expose-secrets",
        "Send secrets also where others can read them: PanDA keeps them in a sandbox.",
    )
    setup: tuple[str, ...] = option(
        (), "--setup LINE", "Line of shell that runs before each job; may be repeated."
    )
    python: str | None = option(
        None, "--python PROGRAM", "Python that runs the jobs, where they run in no image."
    )
    channel: str = option(
        "auto",
        "--channel NAME",
        "How metrics come from jobs that share no disk:"
        " push, drop, end (when a job ends), or auto.",
        old_word="--metrics",
    )
    files: tuple[str, ...] = option(
        (),
        "--files FILE",
        "File, folder or pattern that the notebook needs beside it; may be repeated.",
    )
    kernel: str | None = option(
        None, "--kernel NAME", "Kernel that runs the notebook. Default: the notebook's own."
    )
    name: str | None = option(None, "--name NAME", "Name of the scan. Default: the notebook's.")
    new: bool = option(
        False, "--new", "Start another scan even if the same one was started before."
    )
    metrics: InitVar[str | None] = None  # the name of `channel` in earlier versions

    def __post_init__(self, metrics: str | None) -> None:
        """Take the channel from `metrics`, its old name, and make tuples of lists of objectives."""
        # The class is frozen: this is how the dataclass itself sets its fields.
        if metrics is not None:
            object.__setattr__(self, "channel", metrics)
        for name in ("maximize", "minimize"):
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
