"""`gridgpu stop`: stop a scan, or one of its variants."""

from __future__ import annotations

import math
from collections.abc import Collection

import click

from jupyter_gridgpu import client
from jupyter_gridgpu.backends.panda.heartbeats import HEARTBEAT
from jupyter_gridgpu.backends.panda.stop_texts import made_anew
from jupyter_gridgpu.backends.panda.task_map import attempts
from jupyter_gridgpu.cli.output import echo
from jupyter_gridgpu.model.grace import grace_seconds
from jupyter_gridgpu.model.job import END_STATES
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.model.units import duration_text
from jupyter_gridgpu.model.variant import VariantView

# What happens to jobs that run, and how long it may take, by backend. {grace} is a duration.
_HOW_LONG = {
    "local": (
        "Most end in seconds. Saving may take up to {grace}; a job that has not ended by itself is"
        " killed soon after."
    ),
    "slurm": (
        "Most end in seconds. Saving may take up to {grace}; Slurm kills what has not ended soon"
        " after, and takes its KillWait for that (30 s, unless the cluster says otherwise)."
    ),
    "htcondor": (
        "Most end within a minute. Saving may take up to {grace}; HTCondor kills what has not ended"
        " soon after."
    ),
}
# PanDA's pilots end jobs by force, and nothing of such a job comes back.
_KILLED_AT_PANDA = (
    f"will be killed when the pilot next reports to PanDA, which takes up to {HEARTBEAT}. PanDA"
    " keeps no files of a killed job; the metrics that have come stay."
)
_OTHER_BACKEND = (
    "Saving may take up to {grace}; how long the rest takes depends on the batch system."
)


@click.command("stop")
@click.argument("target", metavar="SCAN[/VARIANT]")
def stop(target: str) -> None:
    """Stop a scan or one variant; what it saved so far is kept."""
    handle, variant = client.split_target(target)
    handle.require_own()
    # A scan that has ended has no runner, which would read the command.
    if handle.ended:
        echo(f"{handle.name} has ended already.")
        return
    variants = list(handle.view.variants.values())
    if variant:
        ident = variant.partition(".")[0]
        variants = [handle.variant(ident)]
        handle.stop(variant)
    else:
        handle.stop()
    others = [other for other in handle.view.variants.values() if other not in variants]
    go_on = any(other.state not in END_STATES for other in others)
    echo(f"Asked {target} to stop. {next_steps(variants, handle.scan, go_on)}")
    echo(f"`gridgpu watch {handle.name}` follows it.")


def next_steps(
    variants: Collection[VariantView], scan: ScanSpec, others_go_on: bool = False
) -> str:
    """Return in sentences what a stop does to these variants, and how long it may take."""
    running = sum(variant.state == "running" for variant in variants)
    # Those that a retry was asked for have ended, and wait again.
    waiting = sum(variant.state not in END_STATES or variant.retry_asked for variant in variants)
    waiting -= running
    if scan.backend == "panda" and waiting + running:
        return _at_panda(waiting, running, scan, others_go_on)
    taken_back = ""
    if waiting:
        taken_back = f"{_jobs(waiting, 'waits', 'wait')} will not start."
    if not running:
        return taken_back or "None of its jobs runs or waits."
    saved = (
        f"{_jobs(running, 'runs', 'run')} will be interrupted and save what there is: the notebook"
        " so far, its metrics and files."
    )
    resources = scan.resources
    grace = duration_text(math.ceil(grace_seconds(resources.grace_s, resources.walltime_s)))
    how_long = _HOW_LONG.get(scan.backend, _OTHER_BACKEND)
    how_long = how_long.format(grace=grace.removesuffix(" 00 s"))
    return " ".join(part for part in (taken_back, saved, how_long) if part)


def _at_panda(waiting: int, running: int, scan: ScanSpec, others_go_on: bool) -> str:
    """Return in sentences what becomes of jobs that wait or run at PanDA."""
    parts = []
    if waiting:
        jobs = _jobs(waiting, "waits", "wait")
        parts.append(f"{jobs} will be taken back within some minutes.")
    if running:
        parts.append(f"{_jobs(running, 'runs', 'run')} {_KILLED_AT_PANDA}")
    # The end of a whole task also ends PanDA's own tries.
    more = attempts(scan) - 1
    if others_go_on and more:
        parts.append(made_anew(more))
    return " ".join(parts)


def _jobs(count: int, one: str, several: str) -> str:
    if count == 1:
        return f"1 job that {one}"
    return f"{count:,} jobs that {several}"
