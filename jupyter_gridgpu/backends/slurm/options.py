"""The options that sbatch gets: what a scan asks of Slurm for its jobs."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping

from jupyter_gridgpu import images
from jupyter_gridgpu.backends import travelling
from jupyter_gridgpu.backends.base import patience
from jupyter_gridgpu.backends.batch.demand import task_demand
from jupyter_gridgpu.backends.slurm import commands, output
from jupyter_gridgpu.backends.slurm.passed_options import passed_options
from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.model.scan import ScanSpec

# Seconds from the signal to a worker to its time limit; longer where the grace is longer.
LEAD_S = 60
EARLY_S = 60  # Slurm may send the signal so much earlier
STARTING_S = 60  # from the start of a task until its worker surely listens to signals
LONGEST_LEAD_S = 65_535  # Slurm takes no more
SPARE_MIN = 3  # added to a short time limit
SHORT_S = 1800  # a time limit below this is short
# What sbatch itself reads: where the cluster is, the login there, and options of the user.
_OF_SBATCH = re.compile(r"SLURM_(CONF|CONF_SERVER|CLUSTERS|JWT)|SBATCH_(?!EXPORT$).*")
_GPU_TYPE = re.compile(r"\bgpu:([A-Za-z][\w.+-]*):\d")


def job_environment(scan: ScanSpec, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the part of an environment that sbatch gets and, through it, the jobs.

    Administrators of the cluster can read it, so no secret is among it. Variables of `--env` are
    not there: they are for the jobs and not for sbatch.
    """
    own = {name: value for name, value in environment.items() if _OF_SBATCH.fullmatch(name)}
    variables = {**travelling.passed(scan, environment), **own}
    if scan.container.image and not images.starts_container(scan.container):
        # By it a job in an image that Slurm has started knows that its PATH is not the image's.
        variables[images.SENT_PATH] = variables.get("PATH", "")
    return variables


def lead_s(scan: ScanSpec) -> int:
    """Return how many seconds before the time limit Slurm sends its signal, at the latest."""
    # The grace is at most half of the walltime, so the signal never comes when a job starts.
    return min(max(LEAD_S, math.ceil(patience(scan))), LONGEST_LEAD_S)


def constant_options(scan: ScanSpec) -> list[str]:
    """Return the options that are the same for every batch of a scan."""
    return [
        "--output=/dev/null",  # a node may not see the scan's folder, and then nothing would start
        "--export=ALL",
        "--requeue",
        "--nodes=1",
        "--ntasks=1",
        f"--signal=B:USR1@{lead_s(scan)}",
    ]


def array_option(tasks: int, at_once: int | None) -> str:
    """Return the option for an array, of which at most `at_once` tasks run (None: any number)."""
    if at_once is None:
        return f"--array=1-{tasks}"
    return f"--array=1-{tasks}%{at_once}"


def resource_options(scan: ScanSpec) -> list[str]:
    """Return the options for cores, memory and disk of one task."""
    demand = task_demand(scan)
    found = []
    if demand.cpus:
        found.append(f"--cpus-per-task={demand.cpus}")
    if demand.memory_mb:
        found.append(f"--mem={demand.memory_mb}M")
    if demand.disk_mb:
        found.append(f"--tmp={demand.disk_mb}M")
    return found


def is_short(scan: ScanSpec) -> bool:
    """Return whether a task of the scan gets some minutes more than its jobs may take."""
    return 0 < _total_s(scan) < SHORT_S


def time_limit_min(scan: ScanSpec, longest_s: float | None = None) -> int | None:
    """Return the time limit of a task in minutes, None to leave it to the cluster.

    `longest_s` is the longest limit that the partition allows, None if it is not known.
    """
    total_s = _total_s(scan)
    if not total_s:
        return None
    least_min = math.ceil(total_s / 60)
    if not is_short(scan):
        return least_min
    # Slurm counts in minutes and kills a job at its limit. So a short job gets some minutes more,
    # and its worker keeps the user's limit.
    wanted_min = least_min + SPARE_MIN
    if longest_s is None:
        return wanted_min
    return max(min(wanted_min, int(longest_s // 60)), least_min)


def time_options(scan: ScanSpec, limit_min: int | None) -> list[str]:
    """Return the options for a time limit."""
    if limit_min is None:
        return []
    if not is_short(scan):
        return [f"--time={limit_min}"]
    # Without a least time, a site may let its backfill scheduler shorten the job.
    return [f"--time={limit_min}", f"--time-min={limit_min}"]


def limit_is_near(scan: ScanSpec, limit_min: int | None) -> bool:
    """Return whether Slurm may send its signal to a task before a worker listens."""
    if limit_min is None:
        return False
    return limit_min * 60 < lead_s(scan) + EARLY_S + STARTING_S


def _total_s(scan: ScanSpec) -> int:
    """Return how long a task may take: its jobs run one after another. 0: any time."""
    return task_demand(scan).walltime_s or 0


def placement_options(scan: ScanSpec) -> list[str]:
    """Return the options for partition, account and quality of service."""
    place = scan.placement
    return [
        *option("partition", place.queue),
        *option("account", place.account),
        *option("qos", place.qos),
    ]


def option(name: str, value: str | None) -> list[str]:
    """Return `--name=value`, or no option if there is no value."""
    if not value:
        return []
    return [f"--{name}={value}"]


def gpu_options(scan: ScanSpec) -> list[str]:
    """Return the options for GPUs and for the nodes that they are on.

    If the scan wants a model of GPU, Slurm is asked how it calls this model. Raises BackendError if
    no node has the model, and Unreachable if Slurm does not answer.
    """
    wanted = scan.resources
    constraint = scan.placement.constraint
    gpu_type: str | None = None
    if wanted.gpu_model:
        gpu_type, feature = _model(scan, wanted.gpu_model)
        if feature and constraint:
            constraint = f"({constraint})&{feature}"
        elif feature:
            constraint = feature
    found = []
    if gpu_type:
        found.append(f"--gres=gpu:{gpu_type}:{max(wanted.gpus, 1)}")
    elif wanted.gpus or wanted.gpu_model:
        found.append(f"--gres=gpu:{max(wanted.gpus, 1)}")
    return found + option("constraint", constraint)


def _model(scan: ScanSpec, model: str) -> tuple[str | None, str | None]:
    """Return the GPU type, or else the node feature, that has a model in its name.

    Raises BackendError if there is none.
    """
    queue = scan.placement.queue
    fields = output.DIVIDER.join(("%G", "%f", "%D"))
    command = ["sinfo", "--noheader", "--format", fields, *option("partition", queue)]
    text = commands.answer(command, passed_options(scan).cluster)
    types = gres_types(text)
    gpu_type = best_match(model, types)
    if gpu_type:
        return gpu_type, None
    # Some clusters give their GPUs no type and name the model as a feature of the node.
    feature = best_match(model, features(text))
    if feature:
        return None, feature
    known = ", ".join(sorted(types)) or "GPUs whose model is not told"
    if queue:
        known = f"{known} in {queue}"
    raise BackendError(f"--gpu-model {model}: Slurm has {known}.")


def gres_types(text: str) -> dict[str, int]:
    """Return the types of GPUs and how many nodes have each.

    `text` is what sinfo prints: generic resources, features, number of nodes.
    """
    types: Counter[str] = Counter()
    for gres, _, nodes in output.rows(text, 3):
        for gpu_type in dict.fromkeys(_GPU_TYPE.findall(gres)):
            types[gpu_type] += _count(nodes)
    return types


def features(text: str) -> dict[str, int]:
    """Return the features of nodes with GPUs and how many nodes have each; `text` as above."""
    found: Counter[str] = Counter()
    for gres, names, nodes in output.rows(text, 3):
        if "gpu" not in gres:
            continue
        for name in dict.fromkeys(names.split(",")):
            # Features can be written with counts and brackets; such a name is no constraint.
            if re.fullmatch(r"[\w.+-]+", name):
                found[name] += _count(nodes)
    return found


def _count(text: str) -> int:
    if re.fullmatch(r"\d{1,9}", text):
        return int(text)
    return 1


def best_match(model: str, names: Mapping[str, int]) -> str | None:
    """Return the name that contains `model`, in capitals or not; None if there is none.

    The name `model` itself is the best match; after it, the name that most nodes have.
    """
    fitting = [name for name in names if model.lower() in name.lower()]
    return max(fitting, key=lambda name: (name.lower() == model.lower(), names[name]), default=None)
