"""Chooses the backend and the queue of a scan, and the channel on which its metrics come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from jupyter_gridgpu import backends, channels
from jupyter_gridgpu.errors import BackendError, GridGpuError, UsageError
from jupyter_gridgpu.model.resources import Resources
from jupyter_gridgpu.model.scan import AUTO, ScanSpec
from jupyter_gridgpu.planning import honoured
from jupyter_gridgpu.queues import discovery
from jupyter_gridgpu.queues.match import Match, choice_text, fitting_queues
from jupyter_gridgpu.store import home
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.transport import scan_secrets

NAMED_QUEUES = 8  # the most queues that a sentence names
TRIED_QUEUES = 4  # the most queues that are asked whether they take a scan


def accepted_by_backend(
    scan: ScanSpec, ask: bool = True, files: Mapping[str, Path] | None = None
) -> ScanSpec:
    """Return the scan with its channel, and with `--on auto` also with backend and queue.

    The queue is the best one that takes the scan. Without `ask` no batch system is asked, and
    `auto` stays. `files` are the helper files, by name. Raises UsageError or BackendError if the
    scan is refused.
    """
    if scan.backend != AUTO:
        return _accepted(scan, ask, files or {})
    honoured.check_gpu_properties(scan, None)
    if not ask:
        return scan
    first_refusal: GridGpuError | None = None
    for candidate in _honouring(_in_fitting_queues(scan))[:TRIED_QUEUES]:
        try:
            return _accepted(candidate, ask, files or {})
        except BackendError as error:
            # If no other queue takes the scan, the reason of the best queue helps most.
            first_refusal = first_refusal or error
    raise first_refusal or BackendError("No queue takes the scan.")


def _accepted(scan: ScanSpec, ask: bool, files: Mapping[str, Path]) -> ScanSpec:
    """Return the scan with its channel. Raises UsageError or BackendError if it is refused."""
    backend = backends.load(scan, ScanPaths(home.home() / scan.name))
    honoured.check_gpu_properties(scan, backend.capabilities)
    refusal = honoured.refusal(scan, backend.capabilities)
    if refusal:
        raise BackendError(refusal)
    scan = replace(scan, channel=channels.choose(scan.metrics, backend.capabilities.shows_files))
    backend.check(ask)
    scan_secrets.check(scan, ask)
    if ask:
        backend.check_files(files)
    # Backends of others than ours may have no such method.
    remarks: Sequence[str] = getattr(backend, "remarks", tuple)()
    return replace(scan, warnings=tuple(dict.fromkeys((*scan.warnings, *remarks))))


def _honouring(candidates: list[ScanSpec]) -> list[ScanSpec]:
    """Return the candidates whose backends honour all that was asked for; all if none does."""
    known = {scan.backend: backends.capabilities(scan.backend) for scan in candidates}
    taken = [scan for scan in candidates if not honoured.refusal(scan, known[scan.backend])]
    return taken or candidates


def _in_fitting_queues(scan: ScanSpec) -> list[ScanSpec]:
    """Return the scan in every queue that it fits, the best first.

    Raises UsageError for an unknown queue, BackendError if the scan fits none.
    """
    known = discovery.find_queues(discovery.MAX_AGE_S)
    asked = scan.placement.queue
    usable = [queue for queue in known.queues if queue.backend in backends.names()]
    named = [queue for queue in usable if asked in (None, queue.name, queue.queue)]
    if usable and not named:
        names = ", ".join(queue.name for queue in usable[:NAMED_QUEUES])
        raise UsageError(f"No queue is called {asked!r}; there are {names}.")
    try:
        matches = fitting_queues(named, scan.resources, scan.container)
    except BackendError as error:
        # A batch system that did not answer may be why nothing fits.
        raise BackendError(" ".join([str(error), *known.problems[:1]])) from None
    return [_in_queue(scan, match) for match in matches]


def _in_queue(scan: ScanSpec, match: Match) -> ScanSpec:
    """Return the scan placed in a queue. The user's own account, QOS and constraint stay."""
    asked, queue = scan.placement, match.queue
    placement = replace(
        asked,
        queue=queue.queue,
        account=asked.account or queue.account,
        qos=asked.qos or queue.qos,
        constraint=asked.constraint or queue.constraint,
    )
    model = scan.resources.gpu_model or _model_to_name(match, scan.resources)
    # The user's request is kept too: its fingerprint must not depend on the choice of today.
    return replace(
        scan,
        backend=queue.backend,
        placement=placement,
        resources=replace(scan.resources, gpu_model=model),
        asked=asked,
        asked_model=scan.resources.gpu_model,
        choice=choice_text(match),
    )


def _model_to_name(match: Match, wanted: Resources) -> str | None:
    """Return the GPU model that a request must name to get a GPU that fits, or None.

    Slurm knows models, but neither GPU memory nor CUDA versions: in a queue with several kinds of
    GPUs only the name leads to the kind that fits.
    """
    has_several_kinds = len(match.queue.gpus or ()) > 1
    if match.kind and has_several_kinds and (wanted.vram_mb or wanted.cuda):
        return match.kind.model
    return None
