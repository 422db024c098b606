"""The only facade: start, open, list, follow and command scans. Every face goes through here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from jupyter_gridgpu.errors import StorageError, UnknownJob, UnknownScan, UsageError
from jupyter_gridgpu.job_files import JobFiles
from jupyter_gridgpu.model import wire
from jupyter_gridgpu.model.job import job_key, split_key
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.model.scan import fingerprint as fingerprint_of
from jupyter_gridgpu.model.view import COMMANDS, ScanView, VariantView
from jupyter_gridgpu.runner.spawn import spawn
from jupyter_gridgpu.store import fold_cache, home, inbox, lease
from jupyter_gridgpu.store.journal import JournalReader
from jupyter_gridgpu.store.opener import opener_below
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.store.tail import text_part

if TYPE_CHECKING:
    import pandas

    from jupyter_gridgpu.planning.request import Plan

START_GRACE_S = 8.0  # a runner that was just started may not hold its lease yet
RESPAWNS = 3
LOG_BYTES = 256 * 1024
POINTS = 300  # of a curve, where nobody asks for another number


class ScanHandle:
    """A scan as its folder tells it. `view` is as of the last `refresh()`; nothing here keeps state of its own.

    Safe to use from a thread that feeds a widget and the main one.
    """

    def __init__(self, folder: Path) -> None:
        """Open the scan in `folder`. Raises UnknownScan or StorageError."""
        self.folder = folder
        self.paths = ScanPaths(folder)
        self.scan: ScanSpec = home.load(folder)
        self.view = ScanView(self.scan)
        self.attached = False  # whether it was found rather than started
        self.lock = threading.RLock()
        self._reader = JournalReader(self.paths.journal)
        self._spawned = self.scan.created

    def __repr__(self) -> str:
        self.refresh()
        counts = ", ".join(f"{n} {state}" for state, n in self.view.counts().items() if n)
        return f"<Scan {self.name}: {self.state}; {counts or 'no variants yet'}>"

    @property
    def name(self) -> str:
        return self.scan.name

    # looking ----------------------------------------------------------------------

    def refresh(self) -> bool:
        """Fold in what the journal has gained; whether there was anything. Raises StorageError if it cannot be read."""
        if not self._reader.grown():
            return False
        with self.lock:
            before = self.view.rev
            if (
                self._reader.cursor == 0
                and (kept := fold_cache.read(self.paths, self.scan)) is not None
            ):
                self.view.__dict__.update(kept[0].__dict__)
                self._reader.cursor = kept[1]
            self.view.apply_all(self._reader.events())
            return self.view.rev != before

    @property
    def state(self) -> str:
        """running, paused, done, stopped, or orphaned: unfinished, and no runner drives it."""
        if self.view.finished and not inbox.pending(self.paths.inbox):
            self.refresh()  # a command is in the journal before it leaves the inbox
            if self.view.finished:
                return self.view.state
        if time.time() - self._spawned < START_GRACE_S or lease.held(self.paths.lock):
            return (
                "running" if self.view.finished else self.view.state
            )  # a command that revives it is on its way
        self.refresh()  # the runner may have finished between the last look and this one
        return self.view.state if self.view.finished else "orphaned"

    @property
    def ended(self) -> bool:
        return self.state in ("done", "stopped")

    @property
    def best(self) -> dict[str, Any] | None:
        """The best finished variant: id, params, value of the objective, path of its notebook; None if there is none."""
        self.refresh()
        found = self.view.best()
        if found is None:
            return None
        notebook = str(self.folder / found.notebook) if found.notebook else None
        return {
            "id": found.id,
            "params": dict(found.params),
            "value": self.view.value(found),
            "notebook": notebook,
        }

    def summary(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        self.refresh()
        with self.lock:
            return wire.summary(self.view, self.state, str(self.folder))

    def to_frame(self) -> pandas.DataFrame:
        """One row a variant: state, reason, attempts, seconds, each parameter, the last value of each metric.

        A metric that has the name of another column is called `metric:NAME`.
        """
        try:
            import pandas
        except ImportError:
            raise UsageError("to_frame() needs pandas: pip install pandas.") from None
        self.refresh()
        with self.lock:
            rows = [_frame_row(variant) for variant in self.view.variants.values()]
        return pandas.DataFrame(rows).set_index("id") if rows else pandas.DataFrame()

    def log_part(self, job: str, start: int | None = None, limit: int = LOG_BYTES) -> wire.LogText:
        """Return the log of a job from byte `start` on, or its end; at most `limit` bytes. Raises UnknownJob, StorageError.

        A job is a variant, whose latest attempt is meant, or an attempt like v0003.1.
        """
        part = self.files(job).log(start, limit)
        return cast(wire.LogText, {"type": "log", "variant": job, **part._asdict()})

    def curves(self, job: str, points: int = POINTS) -> wire.JobMetrics:
        """Return all that a job reported, thinned to `points`. Raises UnknownJob, StorageError."""
        files = self.files(job)
        found, (variant, attempt) = files.curves(points), split_key(files.key)
        return {
            "type": "metrics",
            "variant": variant,
            "attempt": attempt,
            "curves": found.curves(),
            "usage": found.usage(),
        }

    def job(self, job: str) -> wire.JobDetails:
        """Return what there is to know of a variant beside its row. Raises UnknownJob."""
        has_notebook = self.notebook_file(job) is not None
        with self.lock:
            return wire.job(
                self.view, self.variant(split_key(self.files(job).key)[0]), has_notebook
            )

    def notebook_file(self, job: str) -> Path | None:
        """Return the notebook that a job saved last, finished or partial; None if there is none. Raises UnknownJob."""
        return self.files(job).notebook()

    def files(self, job: str) -> JobFiles:
        """Return the files of a variant's latest attempt, or of the attempt named. Raises UnknownJob."""
        ident, dot, _ = job.partition(".")
        latest = max(self.variant(ident).attempts, 1)
        attempt = split_key(job)[1] if dot else latest
        if not 1 <= attempt <= latest:
            raise UnknownJob(f"{ident} has had no attempt {attempt}.")
        return JobFiles(self.paths, job_key(ident, attempt))

    def runner_log(self, limit: int = 4096) -> str:
        """Return the end of what the scan's runner had to say."""
        with suppress(OSError):
            return text_part(self.paths.log, None, limit, opener_below(self.folder)).text
        return ""

    def variant(self, ident: str) -> VariantView:
        """Return a variant. Raises UnknownJob if there is none of that id."""
        self.refresh()
        found = self.view.variants.get(ident)
        if found is None:
            raise UnknownJob(
                f"{self.name} has no variant {ident!r}; it has v0001 to v{len(self.view.variants):04d}."
            )
        return found

    # following --------------------------------------------------------------------

    def changes(self, every_s: float = 0.05) -> Iterator[str]:
        """Yield the scan's state at once, after every change and about once a second, until it has ended.

        A runner that dies is started again a few times; after that the last state is `orphaned`.
        """
        respawns, said, rev = 0, 0.0, -1
        while True:
            self.refresh()
            state = self.state
            changed, rev = self.view.rev != rev, self.view.rev
            if state == "orphaned" and respawns < RESPAWNS:
                respawns += 1
                self.revive()
                continue
            if changed or state in ("done", "stopped", "orphaned") or time.monotonic() - said >= 1:
                said = time.monotonic()
                yield state
            if state in ("done", "stopped", "orphaned"):
                return
            time.sleep(every_s)

    def wait(self, timeout_s: float | None = None) -> str:
        """Wait until the scan has ended and return its state. Raises TimeoutError."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        state = self.view.state
        for state in self.changes():
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} is still {state} after {timeout_s:g} s.")
        return state

    # commanding -------------------------------------------------------------------

    def stop(self, *variants: str) -> None:
        """Stop variants, or the whole scan if none is named; what they saved so far is kept."""
        self.command("stop", list(variants) or None)

    def retry(self, *variants: str) -> None:
        """Give variants a new attempt; if none is named, all that failed, were stopped or lost."""
        self.command("retry", list(variants) or None)

    def pause(self) -> None:
        """Start nothing new; what runs goes on."""
        self.command("pause")

    def resume(self) -> None:
        """Go on after a pause, or with a scan whose runner has died."""
        self.command("resume")

    def extend(self, trials: int) -> None:
        """Try that many points more."""
        self.command("extend", trials=trials)

    def command(
        self, action: str, variants: list[str] | None = None, trials: int | None = None
    ) -> str:
        """Leave a command for the runner, start one if none is there, and return a sentence that says so.

        `variants` None means the whole scan. `replay` starts another scan and needs no runner of this one. Raises
        UsageError, StorageError, and for `replay` EngineError.
        """
        if action == "replay":
            return self._replay(variants)
        self._check(action, variants, trials)
        more = {"trials": trials} if action == "extend" else {}
        inbox.post(self.paths.inbox, action, variants, **more)
        self.revive()
        return f"Asked for: {inbox.words(action, variants, trials)}."

    def _replay(self, variants: list[str] | None) -> str:
        from jupyter_gridgpu.records.record import Record
        from jupyter_gridgpu.records.replay import ReplayRequest, plan_replay

        self.refresh()
        made = start(
            plan_replay(
                Record(self.paths, self.view),
                ReplayRequest(only=",".join(variants or ()), command="Replay"),
            )
        )
        count = f"{made.scan.recorded:,} variant{'' if made.scan.recorded == 1 else 's'}"
        return (
            f"{made.name} is this replay already."
            if made.attached
            else f"Started {made.name}: {count} again."
        )

    def _check(self, action: str, variants: list[str] | None, trials: int | None) -> None:
        if action not in COMMANDS:
            raise UsageError(f"{action!r} is no command; there are {', '.join(COMMANDS)}.")
        if variants is not None and (action not in ("stop", "retry") or not variants):
            raise UsageError(
                f"{action} is for the whole scan."
                if variants
                else f"There is nothing to {action}: no variant is named."
            )
        for ident in variants or []:
            self.variant(ident)
        if action in ("stop", "pause", "resume") and self.ended:
            raise UsageError(f"{self.name} has ended already.")
        if action == "extend" and self.scan.recorded:
            raise UsageError(
                f"{self.name} has the points it was given; start a scan of a larger space."
            )
        if action == "extend" and self.scan.trials is None:
            raise UsageError(
                f"{self.name} is a grid, which has no more points; start a scan of a larger space."
            )
        if action == "extend" and (trials is None or not 1 <= trials <= inbox.TRIALS_LIMIT):
            raise UsageError(f"extend needs a number of points from 1 to {inbox.TRIALS_LIMIT:,}.")

    def revive(self) -> None:
        """Start a runner unless there is one."""
        if not lease.held(self.paths.lock):
            self._spawned = time.time()
            spawn(self.folder)


Handle = TypeVar("Handle", bound=ScanHandle)


def start(plan: Plan) -> ScanHandle:
    """Start the scan of a checked plan, or attach to the one that the same request started before (unless plan.new).

    Raises StorageError if its folder cannot be made.
    """
    with home.starting():
        found = known(plan)
        handle = found or create(plan)
        handle.attached = found is not None
    handle.refresh()
    if not handle.view.finished:
        handle.revive()
    return handle


def known(plan: Plan) -> ScanHandle | None:
    """Return the scan that the same request started before, if there is one and no other is wanted."""
    found = None if plan.new else home.find_fingerprint(fingerprint_of(plan.scan), plan.asked_name)
    return None if found is None else ScanHandle(found)


def create(plan: Plan, fill: Callable[[ScanPaths], object] | None = None) -> ScanHandle:
    """Make the folder of a plan's scan and start nothing; `fill` adds to it before anybody sees it. Raises StorageError."""
    from jupyter_gridgpu.records.scan_provenance import (
        equip,  # late: listing scans needs none of it
    )

    home.home().mkdir(parents=True, exist_ok=True, mode=0o700)
    scan = replace(plan.scan, name=home.free_name(plan.scan.name))
    return ScanHandle(
        home.create(
            scan,
            plan.notebook.content,
            plan.files,
            partial(equip, plan, scan, fill),
            plan.asked_name,
        )
    )


def open_scan(scan: str | Path) -> ScanHandle:
    """Open a scan by name, id or folder. Raises UnknownScan, with the nearest name."""
    return opened(ScanHandle, scan)


def opened(kind: type[Handle], scan: str | Path) -> Handle:
    """The same, as the kind of handle that a face wants."""
    handle = kind(home.find(str(scan)))
    handle.refresh()
    return handle


def list_scans() -> list[ScanHandle]:
    """Return all scans of the home folder, newest first; folders that cannot be read are left out."""
    return [
        handle for folder in reversed(home.folders()) if (handle := _readable(folder)) is not None
    ]


def _readable(folder: Path) -> ScanHandle | None:
    try:
        handle = ScanHandle(folder)
        handle.refresh()
    except (StorageError, UnknownScan):
        return None
    return handle


def split_target(text: str) -> tuple[ScanHandle, str | None]:
    """Return scan and variant of `SCAN` or `SCAN/v0017`. Raises UsageError."""
    head, slash, tail = text.rpartition("/")
    if slash and tail[:1] == "v" and tail[1:].split(".")[0].isdigit():
        handle = open_scan(head)
        handle.variant(tail.split(".")[0])
        return handle, tail
    return open_scan(text), None


def _frame_row(variant: VariantView) -> dict[str, Any]:
    seconds = variant.ended - variant.started if variant.ended and variant.started else None
    state = {
        "state": variant.state,
        "reason": variant.reason,
        "attempts": variant.attempts,
        "seconds": seconds,
    }
    row = {"id": variant.id, **state, **variant.params}
    metrics = {
        f"metric:{name}" if name in row else name: series.last
        for name, series in variant.metrics.items()
    }
    return {**row, **metrics}
