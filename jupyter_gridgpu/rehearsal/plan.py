"""The plan of a rehearsal: a scan of one variant, made from the plan of the scan to be sent."""

from __future__ import annotations

import time
from dataclasses import replace

import psutil

from jupyter_gridgpu import backends, samplers
from jupyter_gridgpu.backends.local.devices import fitting_gpus, visible_gpus
from jupyter_gridgpu.model.queue import LOCAL
from jupyter_gridgpu.model.resources import Resources
from jupyter_gridgpu.model.scan import Origin, fingerprint
from jupyter_gridgpu.model.space import Fixed, Space
from jupyter_gridgpu.planning.request import Plan
from jupyter_gridgpu.queues.this_machine import core_count
from jupyter_gridgpu.runner import policy
from jupyter_gridgpu.store import earlier, home, points
from jupyter_gridgpu.store.paths import ScanPaths

SUFFIX = "-rehearsal"  # of the name of the scan


def rehearsal_plan(plan: Plan, there: bool, limit_s: int) -> Plan:
    """Return the plan of the rehearsal of a plan's scan.

    With `there` the rehearsal runs on the scan's own backend, else on this machine, where a
    walltime is cut to `limit_s` seconds. Raises BackendError or UsageError if it cannot run in
    that place.
    """
    scan = plan.scan
    backend = LOCAL
    resources = _resources_here(scan.resources, limit_s)
    if there:
        backend = scan.backend
        resources = scan.resources
    name = scan.name[: home.NAME_LIMIT - len(SUFFIX)] + SUFFIX
    # A scan is found again by its fingerprint. With an origin of its own, the rehearsal is never
    # mistaken for the scan.
    made = replace(
        scan,
        id=f"{scan.id}-r",
        name=name,
        space=first_point(plan),
        sampler="grid",
        trials=None,
        parallel=1,
        per_gpu=1,
        per_job=1,
        retries=0,
        resources=resources,
        backend=backend,
        created=time.time(),
        origin=Origin("rehearsal", scan.id, scan.name, fingerprint(scan)),
        asked=None,
        asked_model=None,
        choice="",
        recorded=0,
        recorded_digest="",
        own_points=0,
        warm_start=(),
    )
    backends.load(made, ScanPaths(home.home() / name)).check()
    return replace(plan, scan=made, asked_name=None, new=True, points="", earlier="")


def _resources_here(asked: Resources, limit_s: int) -> Resources:
    """Return the part of what is asked for that this machine can give to a job."""
    # GPUs of another kind still show whether the notebook runs, and so does a machine without any.
    gpus = asked.gpus
    if gpus > len(visible_gpus()):
        gpus = 0
    if gpus == 0 or gpus > len(fitting_gpus(asked)):
        asked = replace(asked, gpu_model=None, vram_mb=None, cuda=None)
    if asked.cpus:
        asked = replace(asked, cpus=min(asked.cpus, core_count()))
    walltime_s = None
    if asked.walltime_s:
        walltime_s = min(asked.walltime_s, limit_s)
    # A worker measures the memory of a job with a limit more often, and a rehearsal is short.
    memory_mb = asked.memory_mb or int(psutil.virtual_memory().total // 2**20)
    return replace(asked, gpus=gpus, walltime_s=walltime_s, memory_mb=memory_mb)


def first_point(plan: Plan) -> Space:
    """Return the space that has only the scan's first variant, as its sampler proposes it."""
    scan = plan.scan
    if scan.own_points:
        params = points.parsed(plan.points.partition("\n")[0])["params"]
        return Space({name: Fixed(value) for name, value in params.items()})
    sampler = samplers.load(scan.sampler, scan.space, scan.objectives)
    results = map(earlier.parsed, plan.earlier.splitlines())
    proposed = sampler.propose(policy.earlier_trials(results), 1, scan.seed, 0)
    # A parameter that is not active has no value: the notebook's own one stays.
    params = scan.space.complete(proposed[0].params if proposed else {})
    return Space({name: Fixed(value) for name, value in params.items()})
