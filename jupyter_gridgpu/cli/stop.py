"""`gridgpu stop`: stop a scan, or one of its variants."""

from __future__ import annotations

import math
from collections.abc import Collection

import click

from jupyter_gridgpu import client
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
    "panda": "That takes minutes: PanDA passes it on to the sites, and jobs run on until then.",
}
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
    echo(f"Asked {target} to stop. {next_steps(variants, handle.scan)}")
    echo(f"`gridgpu watch {handle.name}` follows it.")


def next_steps(variants: Collection[VariantView], scan: ScanSpec) -> str:
    """Return in sentences what a stop does to these variants, and how long it may take."""
    running = sum(variant.state == "running" for variant in variants)
    # Those that a retry was asked for have ended, and wait again.
    waiting = sum(variant.state not in END_STATES or variant.retry_asked for variant in variants)
    waiting -= running
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


def _jobs(count: int, one: str, several: str) -> str:
    if count == 1:
        return f"1 job that {one}"
    return f"{count:,} jobs that {several}"
