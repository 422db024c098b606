"""The options of a replay: those that the scan ran with, updated with those that were given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jupyter_gridgpu import backends
from jupyter_gridgpu.backends.base import Capabilities
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.planning import profiles
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.honoured import without_ignored


def replay_options(scan: ScanSpec, given: Mapping[str, Any]) -> tuple[Options, Mapping[str, Any]]:
    """Return the options that the scan ran with, updated with those that were given.

    Return also those that are not the scan's own, by name: a profile has some. Raises UsageError.
    """
    options = recorded_options(scan)
    if given.get("image") is not None:
        options = replace(options, python=None)  # the image has its own
    profile = profiles.named(given.get("on"))
    backend = profile.backend if profile else given.get("on", scan.backend)
    # A profile is another place, also if the scan ran on the same batch system.
    if profile or backend != scan.backend:
        # What was said of one batch system and its nodes means nothing to another one.
        options = replace(
            options,
            queue=None,
            account=None,
            qos=None,
            constraint=None,
            no_shared_disk=False,
            exclude_site=(),
            inputs=(),
            out=None,
            attempts=None,
            engine_option=(),
            shared=(),
            setup=(),
            python=None,
        )
    capabilities = Capabilities()
    if backend in backends.names():
        capabilities = backends.capabilities(backend)
    options = without_ignored(options, capabilities)
    if profile is None:
        name = scan.profile if backend == scan.backend else ""
        return profiles.with_profile(replace(options, **given), name), given
    values, own = profiles.over_recorded(profile, given, options)
    options = replace(options, **values)
    return profiles.with_profile(options, profile.name, profile.collector), own


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
