"""The loop of a runner. Each tick does once all that is to be done."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from jupyter_gridgpu import backends, channels, samplers
from jupyter_gridgpu.backends.base import Backend
from jupyter_gridgpu.errors import GridGpuError
from jupyter_gridgpu.model import events
from jupyter_gridgpu.model.records import CommandApplied
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.runner import extending, policy
from jupyter_gridgpu.runner.breaker import Breaker
from jupyter_gridgpu.runner.clocks import ClockTimes, ClockWatch, read_clocks
from jupyter_gridgpu.runner.driven_scan import DrivenScan
from jupyter_gridgpu.runner.log import say
from jupyter_gridgpu.runner.observing import JobObserver
from jupyter_gridgpu.runner.own_code import check_code
from jupyter_gridgpu.runner.proposing import PointProposer
from jupyter_gridgpu.runner.sending import NO_ROOM, UNDERWAY_S, JobSender
from jupyter_gridgpu.store import fold_cache, home, inbox
from jupyter_gridgpu.store.lease import Lease
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.transport import scan_secrets

TICK_S = 0.05
PATIENCE_S = 300.0  # how long ticks are tried again while a disk does not answer


class Runner:
    """Owns a scan while it holds the scan's lease.

    Tests may give a backend and clocks; otherwise the backend is the one that the scan's spec
    names, and the clocks are those of this machine.
    """

    def __init__(
        self,
        folder: Path,
        backend: Backend | None = None,
        clocks: Callable[[], ClockTimes | None] = read_clocks,
    ) -> None:
        """Take the lease and read the journal.

        Raises UnknownScan if this is no scan folder, ScanLocked if another runner has the lease,
        StorageError if the folder cannot be written.
        """
        paths = ScanPaths(folder)
        spec = home.load(folder)
        # The spec never changes. The journal is not touched before the lease is held, since another
        # runner may be writing it.
        self.lease = Lease(paths.lock)
        self.clocks = ClockWatch(clocks)
        try:
            self._load(spec, paths, backend)
        except BaseException:
            # Without this the lease would stay with this process, which goes on.
            self.lease.release()
            raise

    def _load(self, spec: ScanSpec, paths: ScanPaths, backend: Backend | None) -> None:
        """Read the journal and make the parts of the runner. The lease is held."""
        self.scan = DrivenScan(spec, paths, self.lease.term)
        if backend is None:
            backend = backends.load(spec, paths)
        self.backend = backend
        sampler = samplers.load_for(self.scan.spec)
        self.channel = channels.load(spec, paths)
        self.proposer = PointProposer(self.scan, self.backend, sampler)
        self.observer = JobObserver(self.scan, self.backend, self.channel)
        self.sender = JobSender(self.scan, self.backend, self.observer)
        self.breaker = Breaker(self.scan)
        self._disk_ill_since: float | None = None
        # What the last planning depended on: the view's revision, and whether metrics were awaited.
        self._planned = (-1, False)

    def run(self) -> None:
        """Tick until nothing is left to do, and then let go of the scan.

        Raises StorageError or OSError.
        """
        try:
            self.start()
            # The clock of the day may be set at any time. This one only goes on, so nothing waits
            # for hours because of that.
            while not self.try_tick(time.monotonic()):
                time.sleep(TICK_S)
        finally:
            with contextlib.ExitStack() as last:
                # Whatever goes wrong with the others, the lease is given back.
                last.callback(self.lease.release)
                last.callback(self.scan.journal.close)
                last.callback(self.channel.close)
                last.callback(self.backend.close)

    def start(self) -> None:
        """Begin this runner's term in the journal, and adopt the jobs of an earlier runner."""
        view = self.scan.view
        check_code(self.scan, self.observer.manifest)
        if not view.finished or inbox.pending(self.scan.paths.inbox):
            scan_secrets.keep(self.scan.spec)
        self.sender.metrics_access = channels.write_sender_file(self.scan.spec)
        self.backend.open()
        self.scan.record((events.RUNNER_STARTED, {}), durable=True)
        # An earlier runner may have been killed between the end of a job and its digests.
        tried = [variant for variant in view.variants.values() if variant.attempts]
        self.observer.record_digests([variant.key for variant in tried if not variant.active])
        self.sender.settle(list(view.active.values()), time.monotonic())

    def try_tick(self, now: float) -> bool:
        """Tick, and return whether the scan is complete; return False if a disk made the tick fail.

        Ticks may fail for PATIENCE_S, since network disks come back. After that, OSError is raised,
        and at once if the disk is full.
        """
        try:
            complete = self.tick(now)
        except OSError as error:
            since = self._disk_ill_since or now
            if error.errno in NO_ROOM or now - since > PATIENCE_S:
                raise
            if self._disk_ill_since is None:
                place = error.filename or self.scan.paths.folder
                say(f"{error.strerror}: {place}. It is tried again.")
            self._disk_ill_since = since
            # The error may have come while jobs were sent. Then nobody knows which of them the
            # backend has.
            self.sender.ask_again(now + UNDERWAY_S)
            return False
        self._disk_ill_since = None
        return complete

    def tick(self, now: float) -> bool:
        """Do all that can be done at `now` (seconds of a clock that never jumps).

        Return whether the scan is complete.
        """
        self.lease.renew()
        self.scan.require_folder()
        self.scan.record(*self.clocks.news())
        if self.obey():
            self.sender.hurry(now)
        self.sender.settle_when_due(now)
        self.observer.read_metrics(now)
        self.observe(now)
        if self.breaker.trip():
            self.sender.hurry(now)
        self.observer.end_unwanted()
        # Planning looks at all points, so it is done only if the view or the awaited metrics have
        # changed. What planning itself adds to the view is looked at in the next tick.
        known = (self.scan.view.rev, self.observer.waiting)
        if self._planned == known:
            return False
        if not self.scan.view.paused:
            self.proposer.propose()
            self.sender.send(now)
        self._planned = known
        if not policy.complete(self.scan.view) or self.observer.waiting:
            return False
        self.finish()
        return True

    def obey(self) -> bool:
        """Apply the commands that clients left, and return whether there were any."""
        before = self.scan.view.rev
        for path in inbox.pending(self.scan.paths.inbox):
            command = inbox.read(path)
            if command is None:
                say(f"The command {path.name} is not a sound one and was dropped.")
            elif command["id"] not in self.scan.view.commands:
                self._apply(command)
            # A runner that is killed before this line leaves a command that is in the journal
            # already. The next runner knows the command's id and only removes the file.
            path.unlink(missing_ok=True)
        return self.scan.view.rev != before

    def _apply(self, command: CommandApplied) -> None:
        if command["action"] == "extend":
            try:
                command = extending.applicable(self.scan.view, command)
            except GridGpuError as error:
                # Another command has added the same since this one was left.
                say(f"The command {command['id']} was dropped: {error}")
                return
        self.scan.record((events.COMMAND_APPLIED, command), durable=True)

    def observe(self, now: float) -> None:
        """Poll the jobs if it is time, and record a note about trouble of the whole scan."""
        if not self.observer.due(now):
            return
        note = self.observer.poll(now) or self.sender.unsent(now)
        if note != self.scan.view.backend_note:
            self.scan.record((events.BACKEND_NOTED, {"message": note}))

    def finish(self) -> None:
        """Record that the scan has ended, unless the journal says so already."""
        view = self.scan.view
        # Nobody may send metrics any more, so the key for that is not kept.
        channels.remove_sender_file(self.scan.spec)
        # A command that has just come may let the scan go on.
        if not inbox.pending(self.scan.paths.inbox):
            scan_secrets.remove(self.scan.spec)
        if view.finished:
            return
        state = "stopped" if view.stopped else "done"
        self.scan.record((events.SCAN_FINISHED, {"state": state}), durable=True)
        with contextlib.suppress(OSError):  # a cache only saves time
            fold_cache.write(self.scan.paths, view, self.scan.journal.size())
