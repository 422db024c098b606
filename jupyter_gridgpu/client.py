"""The facade of scans: start, open, list, follow and command them. Every face goes through here."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from jupyter_gridgpu.errors import GridGpuError, UsageError
from jupyter_gridgpu.model import extension, notes, wire
from jupyter_gridgpu.model.fold import goes_on
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.scan import fingerprint as fingerprint_of
from jupyter_gridgpu.runner import commands
from jupyter_gridgpu.runner.spawn import spawn
from jupyter_gridgpu.scan_reader import POINTS as POINTS
from jupyter_gridgpu.scan_reader import ScanReader
from jupyter_gridgpu.store import home, inbox, lease, ownership
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.transport import scan_secrets

if TYPE_CHECKING:
    from jupyter_gridgpu.planning.extension_request import Lines, Points
    from jupyter_gridgpu.planning.request import Plan

START_GRACE_S = 8.0  # a runner that was just started may not hold its lease yet
RESPAWNS = 3  # how often a follower starts another runner for a scan whose runner died
FOREIGN_EVERY_S = 1.0
NEWS_EVERY_S = 1.0  # how often a follower hears of a scan in which nothing changes
FINISHED = ("done", "stopped")
STARTING = ("retry", "resume", "extend")  # commands after which jobs start


class ScanHandle(ScanReader):
    """A scan that can be followed and commanded, whether a runner drives it or not."""

    def __init__(self, folder: Path) -> None:
        """Open the scan in `folder`. Raises UnknownScan or StorageError."""
        super().__init__(folder)
        self.attached = False  # whether `start` found this scan rather than made it
        self._foreign: str | None = None
        self._foreign_due = 0.0  # when the disk is asked again whose the scan is, monotonic
        self._spawned = self.scan.created  # when a runner was last started, as far as is known

    def __repr__(self) -> str:
        self.refresh()
        counts = ", ".join(
            f"{count} {state}" for state, count in self.view.counts().items() if count
        )
        return f"<Scan {self.name}: {self.state}; {counts or 'no variants yet'}>"

    @property
    def state(self) -> str:
        """The state of the scan: running, paused, done, stopped or orphaned.

        A scan is orphaned if it has not ended, or a command waits, and no runner drives it. Raises
        StorageError if the journal cannot be read.
        """
        if self.view.finished and not inbox.pending(self.paths.inbox):
            # A command is in the journal before it leaves the inbox. If one left the inbox since
            # the last look, the journal tells now that the scan goes on.
            self.refresh()
            if self.view.finished:
                return self.view.state
        if self._runner_starts() or lease.held(self.paths.lock):
            # If the view says that the scan has ended, a command in the inbox will make it go on.
            return "running" if self.view.finished else self.view.state
        # The runner may have finished between the last look and this one. A command that it has not
        # seen waits for another runner: whoever left it was killed before it started one.
        self.refresh()
        ended = self.view.finished and not inbox.pending(self.paths.inbox)
        return self.view.state if ended else "orphaned"

    def _runner_starts(self) -> bool:
        """Return whether a runner was started just now, by this process or with a command."""
        asked = [self._spawned]
        for path in inbox.pending(self.paths.inbox):
            with contextlib.suppress(OSError):  # the runner may have taken it
                asked.append(path.stat().st_mtime)
        return any(0 <= time.time() - when < START_GRACE_S for when in asked)

    @property
    def foreign(self) -> str | None:
        """The sentence that says why this user only looks at the scan; None for an own scan.

        It is for people to read, and FOREIGN_EVERY_S old at most: live faces ask all the time, and
        each look asks the disk about every file of the folder. Commands call `require_own`.
        """
        now = time.monotonic()
        if now >= self._foreign_due:
            found = ownership.foreign(self.folder)
            self._foreign = None if found is None else found.text
            self._foreign_due = now + FOREIGN_EVERY_S
        return self._foreign

    def to_accept(self) -> list[str]:
        """Return the options that a replay of this scan has to accept; none for an own scan."""
        if self.foreign is None:
            return []
        # Imported late: of most scans nobody asks for a replay.
        from jupyter_gridgpu.records.replay import to_accept

        return to_accept(self.scan)

    def require_own(self) -> None:
        """Raise ForeignScan, with what to do, if this user only looks at the scan."""
        ownership.require_own(self.folder)

    @property
    def ended(self) -> bool:
        """Whether the scan is done or was stopped."""
        return self.state in FINISHED

    @property
    def stopped_by(self) -> str | None:
        """The sentence that says why a rule has stopped the scan; None if none has."""
        self.refresh()
        return notes.stopped_by(self.view)

    def summary(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        self.refresh()
        with self.lock:
            return wire.summary(self.view, self.state, str(self.folder), self.foreign)

    # following --------------------------------------------------------------------

    def changes(self, every_s: float = 0.05) -> Iterator[str]:
        """Yield the scan's state at once, after every change and once a second, until it has ended.

        A runner that died is started again, RESPAWNS times. If that does not help, or if the scan
        is foreign, the last state is `orphaned`.
        """
        respawns, yielded, rev = 0, 0.0, -1
        while True:
            self.refresh()
            state = self.state
            changed = self.view.rev != rev
            rev = self.view.rev
            if state == "orphaned" and respawns < RESPAWNS and not self.foreign:
                respawns += 1
                # The new runner has START_GRACE_S, during which the state is not `orphaned`.
                self.revive()
                continue
            last = state in FINISHED or state == "orphaned"
            if changed or last or time.monotonic() - yielded >= NEWS_EVERY_S:
                yielded = time.monotonic()
                yield state
            if last:
                return
            time.sleep(every_s)

    def wait(self, timeout_s: float | None = None) -> str:
        """Wait until the scan has ended and return its state.

        Raises TimeoutError if the scan has not ended after `timeout_s` seconds.
        """
        started = time.monotonic()
        state = self.view.state
        for state in self.changes():
            if timeout_s is not None and time.monotonic() - started > timeout_s:
                raise TimeoutError(f"{self.name} is still {state} after {timeout_s:g} s.")
        return state

    # commanding -------------------------------------------------------------------

    def stop(self, *variants: str) -> None:
        """Stop variants, or the whole scan if none is named. What jobs saved so far is kept."""
        self.command("stop", list(variants) or None)

    def retry(self, *variants: str) -> None:
        """Give variants a new attempt; if none is named, all that failed, were stopped or lost."""
        self.command("retry", list(variants) or None)

    def pause(self) -> None:
        """Start nothing new. What runs goes on."""
        self.command("pause")

    def resume(self) -> None:
        """Go on after a pause, after the death of the runner, or after many failures alike."""
        self.command("resume")

    def extend(
        self,
        trials: int | None = None,
        add: Lines = (),
        repeats: int | None = None,
        points: Points | None = None,
    ) -> None:
        """Add points, values of axes or repeats to the scan; only what is new runs.

        Args:
            trials (int | None): Points that its sampler proposes in addition. Default: none.
            add (Mapping[str, Any] | str | Sequence[str]): New values of parameters that vary:
                `{"lr": [1e-5, 3e-5]}`, or lines like those of the cell. Default: none.
            repeats (int | None): How often every point is run in all. Default: as before.
            points (str | Path | Sequence[Mapping[str, Any]] | None): Points of the user's own: a
                file as `--points` takes it, or a list of them. Default: none.

        Raises:
            UsageError: The scan cannot have that; nothing was changed.

        Example:
            >>> open_scan("btag").extend(add={"lr": [1e-5, 3e-5]})
        """
        self.command("extend", trials=trials, add=add, repeats=repeats, points=points)

    def command(
        self,
        action: str,
        variants: list[str] | None = None,
        trials: int | None = None,
        accept: bool | Sequence[str] = False,
        **added: Any,
    ) -> str:
        """Leave a command for the runner, and start a runner if there is none.

        `variants` None means the whole scan. `extend` takes the fields of an ExtensionRequest.
        Return a sentence that says what was asked for. Raises
        UsageError (ForeignScan for a scan that is only looked at) or StorageError. `replay` starts
        another scan and needs no runner of this one; it may raise BackendError as well, and
        NotAccepted unless `accept` takes over what a foreign scan says to batch systems: True, or
        the options that the user has seen.
        """
        if action == "replay":
            return self._replay(variants, accept)
        self.require_own()
        commands.check_variants(action, variants)
        for ident in variants or []:
            self.variant(ident)
        if action in commands.BEFORE_THE_END and self.ended and not self._goes_on(action):
            raise UsageError(f"{self.name} has ended already.")
        more: dict[str, Any] = {}
        said = inbox.command_text(action, variants)
        if action == "extend":
            more, said = _extension(self, trials=trials, **added)
        if action in STARTING:
            scan_secrets.keep(self.scan)
        inbox.post(self.paths.inbox, action, variants, **more)
        self.revive()
        return f"Asked for: {said}"

    def _goes_on(self, action: str) -> bool:
        """Return whether a command lets this scan go on although it has ended."""
        return action == "resume" and goes_on(self.view)

    def _replay(self, variants: list[str] | None, accept: bool | Sequence[str]) -> str:
        """Run variants of this scan, or all, again as a scan of its own."""
        # Imported late: only a replay reads notebooks and provenance.
        from jupyter_gridgpu.records.record import Record
        from jupyter_gridgpu.records.replay import ReplayRequest, plan_replay

        self.refresh()
        seen = accept if isinstance(accept, bool) else tuple(accept)
        wish = ReplayRequest(only=",".join(variants or ()), command="Replay", accept=seen)
        made = start(plan_replay(Record(self.paths, self.view), wish))
        if made.attached:
            return f"{made.name} is this replay already."
        plural = "" if made.scan.recorded == 1 else "s"
        return f"Started {made.name}: {made.scan.recorded:,} variant{plural} again."

    def revive(self) -> None:
        """Start a runner unless there is one.

        Raises ForeignScan if the scan is only looked at, StorageError if the runner's log cannot be
        written.
        """
        # Of two runners that are started at the same moment, one gets the lease and the other ends.
        if not lease.held(self.paths.lock):
            self._spawned = time.time()
            spawn(self.folder)


def _extension(handle: ScanHandle, **request: Any) -> tuple[dict[str, Any], str]:
    """Return what a command that extends a scan says, and a text for the user."""
    # Imported late: most commands read no space and no notebook.
    from jupyter_gridgpu.planning.extension_request import ExtensionRequest, checked
    from jupyter_gridgpu.runner import extending

    handle.refresh()
    waiting = inbox.pending(handle.paths.inbox)
    if waiting:
        # Who left them may have been killed before a runner was started.
        handle.revive()
    with handle.lock:
        view = extending.pending(handle.view, map(inbox.read, waiting))
    found = checked(view, handle.paths, ExtensionRequest(**request))
    return extension.to_json(found.extension), found.text()


Handle = TypeVar("Handle", bound=ScanHandle)
T = TypeVar("T")


def start(plan: Plan) -> ScanHandle:
    """Start the scan of a checked plan, or open the scan that the same request started before.

    With `plan.new` a new scan is always started. Raises StorageError if its folder cannot be made.
    """
    with home.starting():
        found = started_before(plan)
        handle = found or _create_with_secrets(plan)
        handle.attached = found is not None
    handle.refresh()
    if not handle.view.finished:
        handle.revive()
    return handle


def _create_with_secrets(plan: Plan) -> ScanHandle:
    """Make the folder of a scan that is about to run, and keep its secrets for its runners."""
    scan_secrets.keep(plan.scan)
    try:
        return create(plan)
    except BaseException:
        scan_secrets.remove(plan.scan)
        raise


def started_before(plan: Plan) -> ScanHandle | None:
    """Return the scan that the same request started before, or None if there is none.

    With `plan.new` the answer is None, since the user wants another scan.
    """
    if plan.new:
        return None
    folder = home.find_fingerprint(fingerprint_of(plan.scan), plan.asked_name)
    return None if folder is None else ScanHandle(folder)


def create(plan: Plan, fill: Callable[[ScanPaths], object] | None = None) -> ScanHandle:
    """Make the folder of a plan's scan and start nothing.

    `fill` may add files before anybody sees the folder. Raises StorageError.
    """
    # Imported late: a face that only lists scans needs none of this.
    from jupyter_gridgpu.records.scan_provenance import complete_folder

    ownership.require_own_home(home.make_home())
    scan = replace(plan.scan, name=home.free_name(plan.scan.name))
    add_rest = partial(complete_folder, plan, scan, fill)
    content = plan.notebook.content
    return ScanHandle(home.create(scan, content, plan.files, add_rest, plan.asked_name))


def open_scan(scan: str | Path) -> ScanHandle:
    """Open a scan by name, id or folder. Raises UnknownScan, which suggests the nearest name."""
    return open_as(ScanHandle, scan)


def open_as(kind: type[Handle], scan: str | Path) -> Handle:
    """Open a scan as `open_scan` does, as a handle of the given kind."""
    handle = kind(home.find(str(scan)))
    handle.refresh()
    return handle


class LeftOut(NamedTuple):
    """A folder of the home that cannot be shown as a scan; `why` is a sentence."""

    folder: Path
    why: str


def list_scans() -> list[ScanHandle]:
    """Return all scans of the home, newest first. A folder that cannot be read is left out."""
    return look_at_scans(lambda handle: handle)[0]


def look_at_scans(look: Callable[[ScanHandle], T]) -> tuple[list[T], list[LeftOut]]:
    """Return what `look` says of each scan of the home, newest first, and what is left out.

    A folder that cannot be read, or looked at, is never in the way of the others.
    """
    found: list[T] = []
    left_out: list[LeftOut] = []
    for folder in reversed(home.folders()):
        try:
            handle = ScanHandle(folder)
            handle.refresh()
            found.append(look(handle))
        except (GridGpuError, OSError) as error:
            left_out.append(LeftOut(folder, one_line(str(error)) or "It cannot be read."))
    return found, left_out


def split_target(text: str) -> tuple[ScanHandle, str | None]:
    """Return the scan and the job of a text like `SCAN`, `SCAN/v0017` or `SCAN/v0017.2`.

    Raises UsageError if there is no such scan or variant.
    """
    head, slash, tail = text.rpartition("/")
    ident, _, _ = tail.partition(".")
    # The path of a scan folder has slashes as well, so the last part must look like a variant.
    if slash and ident[:1] == "v" and ident[1:].isdigit():
        handle = open_scan(head)
        handle.variant(ident)
        return handle, tail
    return open_scan(text), None
