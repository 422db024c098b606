"""Reads options back from the spec of a scan: the way back from option_values.py."""

from __future__ import annotations

from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.planning.declaration import Options


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
