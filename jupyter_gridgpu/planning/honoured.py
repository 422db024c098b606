"""No option is dropped in silence: what a backend cannot honour is refused."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from jupyter_gridgpu import images, samplers
from jupyter_gridgpu.backends.base import Capabilities
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.grace import grace_seconds
from jupyter_gridgpu.model.resources import NO_RUNTIME
from jupyter_gridgpu.model.scan import AUTO, ScanSpec
from jupyter_gridgpu.model.units import duration_text
from jupyter_gridgpu.planning.declaration import Options, wording_of

GPU_PROPERTIES = ("gpu_model", "vram", "cuda")
GRID = "grid"  # the sampler that takes all points
FIELDS = {declared.name: declared for declared in fields(Options)}


def check_gpu_properties(scan: ScanSpec, capabilities: Capabilities | None) -> None:
    """Raise UsageError if the scan says which GPUs it wants, but not how many.

    `capabilities` are those of its backend; None while that is not chosen yet.
    """
    given = asked_for(scan)
    for name in [] if scan.resources.gpus else GPU_PROPERTIES:
        counts_as_one = name == "gpu_model" and capabilities and capabilities.model_asks_for_gpu
        if given[name] and not counts_as_one:
            word = word_of(name)
            raise UsageError(f"{word} needs --gpus: say --gpus 1 too, or leave {word} out.")


def refusal(scan: ScanSpec, capabilities: Capabilities) -> str | None:
    """Return the sentence about an option that the scan's backend ignores, or None."""
    given = asked_for(scan)
    for name, why in capabilities.ignores.items():
        if given.get(name):
            word = word_of(name)
            return f"{word} means nothing with --on {scan.backend}: {why}. Leave {word} out."
    return None


def asked_for(scan: ScanSpec) -> dict[str, Any]:
    """Return what the user asked for, by the name of the option; false if it was not given."""
    resources, place = scan.resources, scan.asked or scan.placement
    # With `--on auto`, the queue was a word for us, and it was followed.
    queue = place.queue if scan.asked is None or scan.backend == AUTO else None
    return {
        # It also says how many points a sampler that learns proposes at once.
        "parallel": None if samplers.load_for(scan).adaptive else scan.parallel,
        "gpu_model": resources.gpu_model,
        "vram": resources.vram_mb,
        "cuda": resources.cuda,
        "disk": resources.disk_mb,
        "per_job": scan.per_job > 1,
        "queue": queue,
        "account": place.account,
        "qos": place.qos,
        "constraint": place.constraint,
        "no_shared_disk": not place.shared,
        "exclude_site": place.exclude,
        "inputs": place.inputs,
        "out": place.output,
        "attempts": place.attempts,
        "engine_option": place.options,
        "shared": place.shared_paths,
    }


def option_warnings(scan: ScanSpec) -> tuple[str, ...]:
    """Return what is true of a scan whatever some of its options say, in sentences."""
    found = []
    if scan.seed and scan.sampler == GRID:
        found.append("--seed changes nothing: a grid has no choice by chance.")
    if scan.backend == "local" and images.has_setup(scan.environment):
        found.append(
            "With --setup or --python conda:NAME, each job on this machine starts anew: no worker"
            " and no kernel is forked, which takes some seconds more."
        )
    grace_s, walltime_s = scan.resources.grace_s, scan.resources.walltime_s
    if grace_s and walltime_s and grace_seconds(grace_s, walltime_s) < grace_s:
        used = duration_text(grace_seconds(grace_s, walltime_s))
        found.append(f"--grace is at most half of --walltime: saving may take {used}.")
    return tuple(found)


def word_of(name: str) -> str:
    """Return how an option is written on a command line."""
    return wording_of(FIELDS[name]).words[0]


def without_ignored(options: Options, capabilities: Capabilities) -> Options:
    """Return options without those that the backend ignores.

    Earlier versions dropped them in silence, and a scan of that time can be replayed.
    """
    ignored: dict[str, Any] = {name: FIELDS[name].default for name in capabilities.ignores}
    if options.image is None:
        ignored |= {name: FIELDS[name].default for name in ("runtime", "bind")}
    elif options.runtime == NO_RUNTIME:
        ignored["bind"] = FIELDS["bind"].default
    if not options.gpus and not capabilities.model_asks_for_gpu:
        ignored |= dict.fromkeys(GPU_PROPERTIES)
    return replace(options, **ignored)
