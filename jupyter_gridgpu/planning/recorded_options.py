"""Reads options back from the spec of a scan: the way back from option_values.py."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from jupyter_gridgpu.model.scan import ScanSpec, as_asked
from jupyter_gridgpu.model.units import exact_duration, exact_memory
from jupyter_gridgpu.planning.declaration import Options

_SIZES, _TIMES = ("memory", "disk", "vram"), ("walltime", "grace")


def given_options(scan: ScanSpec) -> dict[str, Any]:
    """Return the options by which a user asks for such a scan, by name, without defaults.

    Its files, its name and its notebook's own kernel are not among them, nor points of its own.
    """
    scan = as_asked(scan)
    recorded = recorded_options(scan)
    default = Options()
    values = {one.name: getattr(recorded, one.name) for one in fields(Options)}
    for name in values:
        if name in _SIZES:
            values[name] = exact_memory(values[name])
        elif name in _TIMES:
            values[name] = exact_duration(values[name])
    for direction in ("maximize", "minimize"):
        values[direction] = tuple(
            one.label for one in scan.objectives if one.direction == direction
        )
    if scan.sampler != "grid":
        values |= {"sampler": scan.sampler, "trials": scan.trials}
    values["seed"] = scan.seed
    # Their names may be those of other scans by now.
    values["warm_start"] = tuple(earlier.id for earlier in scan.warm_start)
    values["max_failures"] = "none" if scan.max_failures is None else str(scan.max_failures)
    del values["kernel"]
    return {name: value for name, value in values.items() if value != getattr(default, name)}


def recorded_options(scan: ScanSpec) -> Options:
    """Return the options that a scan ran with."""
    resources, container, placement = scan.resources, scan.container, scan.placement
    return Options(
        on=scan.backend,
        kernel=scan.kernel,
        parallel=scan.parallel,
        per_gpu=scan.per_gpu,
        per_job=scan.per_job,
        no_prefork=not scan.prefork,
        retries=scan.retries,
        max_failures=scan.max_failures,
        gpus=resources.gpus,
        gpu_model=resources.gpu_model,
        vram=resources.vram_mb,
        cuda=resources.cuda,
        cpus=resources.cpus,
        walltime=resources.walltime_s,
        grace=resources.grace_s,
        memory=resources.memory_mb,
        disk=resources.disk_mb,
        image=container.image,
        runtime=container.runtime,
        bind=container.binds,
        queue=placement.queue,
        account=placement.account,
        qos=placement.qos,
        constraint=placement.constraint,
        no_shared_disk=not placement.shared,
        exclude_site=placement.exclude,
        inputs=placement.inputs,
        out=placement.output,
        attempts=placement.attempts,
        engine_option=placement.options,
        shared=placement.shared_paths,
        env=scan.environment.variables,
        secret=scan.environment.secrets,
        expose_secrets=scan.environment.exposed,
        setup=scan.environment.setup,
        python=scan.environment.python,
        channel=scan.metrics,
    )
