"""The loop: one synchronous tick after another, each a pass over commands, metrics, observations, plans."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from jupyter_gridgpu import backends, channels, samplers
from jupyter_gridgpu.backends.base import Job, job_spec
from jupyter_gridgpu.backends.batch.inquiry import SILENT_S, SLOWEST, poll_interval_s
from jupyter_gridgpu.errors import Full, StorageError, Underway, Unreachable
from jupyter_gridgpu.model import events
from jupyter_gridgpu.model.events import Event
from jupyter_gridgpu.model.job import END_STATES, Observation, allowed, job_key, variant_id
from jupyter_gridgpu.model.view import ScanView, VariantView
from jupyter_gridgpu.runner import policy
from jupyter_gridgpu.runner.metrics import MetricsReader
from jupyter_gridgpu.samplers.base import Proposal
from jupyter_gridgpu.store import fold_cache, home, inbox
from jupyter_gridgpu.store.journal import JournalReader, JournalWriter
from jupyter_gridgpu.store.lease import Lease
from jupyter_gridgpu.store.manifest import ManifestWriter
from jupyter_gridgpu.store.paths import ScanPaths

TICK_S = 0.05
PROPOSE_AT_ONCE = 1000
ADAPTIVE_AT_ONCE = 10  # points under way with a sampler that learns, where neither the user nor the engine says how many
PATIENCE_S = 300.0  # with a disk that does not answer
UNDERWAY_S = 0.25  # between looks for an answer that is near: one stat
STATS_A_SECOND = 400  # metrics files that are looked at; home folders may be on a network
NEWS = (
    "notebook",
    "message",
    "where",
    "node",
    "gpu",
    "link",
)  # of a job whose state stays the same
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class Runner:
    """Owns a scan while it holds its lease. Raises ScanLocked if another runner does, StorageError if it cannot write."""

    def __init__(self, folder: Path) -> None:
        self.paths = ScanPaths(folder)
        self.scan = home.load(folder)
        self.lease = Lease(self.paths.lock)
        self.journal = JournalWriter(
            self.paths.journal, 0, self.lease.term
        )  # ends a torn line before anything is read
        self.view = ScanView(self.scan).apply_all(JournalReader(self.paths.journal).events())
        self.journal.seq, self.journal.term = (
            self.view.seq,
            max(self.lease.term, self.view.term + 1),
        )
        self.backend = backends.load(self.scan, self.paths)
        self.sampler = samplers.load_for(self.scan)
        self.channel = channels.load(self.scan, self.paths)
        self.metrics = MetricsReader(self.paths, self.channel)
        self.sender: Path | None = None
        self.manifest = ManifestWriter(self.paths)
        self.next_poll = 0.0
        self.next_metrics = 0.0
        self.unsettled: float | None = (
            None  # when to ask again whether the engine has what was sent to it
        )
        self.silence: tuple[float, str] | None = None  # since when nothing could be sent, and why
        self.full: str | None = None  # what the engine says that takes no more for now
        self.ill: float | None = None  # since when a disk does not answer
        self.planned = -1  # the revision of the view that the last plan was made from

    def run(self) -> None:
        """Tick until nothing is left to do."""
        try:
            self.start()
            while not self.attempt(time.time()):
                time.sleep(TICK_S)
        finally:
            self.backend.close()
            self.channel.close()
            self.journal.close()
            self.lease.release()

    def start(self) -> None:
        """Say that this runner goes on from here, and adopt the jobs an earlier one had sent."""
        self.sender = channels.equip(self.scan)
        self.backend.open()
        self.record((events.RUNNER_STARTED, {}), durable=True)
        self.keep(
            [
                variant.key
                for variant in self.view.variants.values()
                if variant.attempts and not variant.active
            ]
        )
        self.settle(list(self.view.active.values()), time.time())

    def settle(self, active: list[VariantView], now: float) -> None:
        """Adopt of these jobs what the engine has, and send what it has not."""
        self.unsettled = None
        try:
            found = self.backend.find([variant.key for variant in active])
        except Unreachable as error:
            self.unheard(error, now)
            return
        self.silence = self.full = None
        unsure = [variant for variant in active if not variant.submitted]
        self.record(
            *(
                (events.JOB_SUBMITTED, {"key": v.key, "engine_id": found[v.key]})
                for v in unsure
                if v.key in found
            )
        )
        missing = [variant for variant in unsure if variant.key not in found]
        wanted = [variant for variant in missing if not variant.stop_asked]
        if not self.view.paused:
            self.submit(wanted, now)
        elif wanted:  # until it is resumed
            self.unsettled = now + SLOWEST * poll_interval_s()
        for variant in missing:
            if variant.stop_asked:
                self.step(
                    variant, Observation("cancelled", "user", "Stopped before it was sent."), now
                )

    def attempt(self, now: float) -> bool:
        """A tick; one that a disk spoils is tried again for a while, since network disks come back. Raises OSError."""
        try:
            complete = self.tick(now)
        except OSError as error:
            if error.errno in NO_ROOM or now - (self.ill or now) > PATIENCE_S:
                raise
            if self.ill is None:
                say(f"{error.strerror}: {error.filename or self.paths.folder}. It is tried again.")
            self.ill, self.unsettled = (
                self.ill or now,
                now + UNDERWAY_S,
            )  # it may have happened while jobs were sent
            return False
        self.ill = None
        return complete

    def tick(self, now: float) -> bool:
        """Do all that can be done now; whether the scan is complete."""
        self.lease.renew()
        try:
            os.stat(self.paths.spec)
        except FileNotFoundError:
            raise StorageError(f"The scan folder {self.paths.folder} was removed.") from None
        if self.obey() and self.unsettled is not None:
            self.unsettled = now
        if self.unsettled is not None and now >= self.unsettled:
            self.settle(
                [variant for variant in self.view.active.values() if not variant.submitted], now
            )
        self.read_metrics(now)
        self.observe(now)
        self.end_unwanted()
        seen = self.view.rev  # what planning itself adds is looked at in the next tick
        if self.planned == seen:
            return False
        if not self.view.paused:
            self.propose()
            self.send(now)
        self.planned = seen
        if policy.complete(self.view) and not self.metrics.waiting:
            channels.disarm(self.scan)
            if not self.view.finished:
                self.record(
                    (events.SCAN_FINISHED, {"state": "stopped" if self.view.stopped else "done"}),
                    durable=True,
                )
                with contextlib.suppress(OSError):  # it saves time, no more
                    fold_cache.write(self.paths, self.view, self.journal.size())
            return True
        return False

    def record(self, *items: tuple[str, dict[str, Any]], durable: bool = False) -> list[Event]:
        """Write events to the journal and fold them: the view here is the view everywhere."""
        written = self.journal.append(list(items), durable=durable)
        self.view.apply_all(written)
        return written

    def obey(self) -> bool:
        """Apply the commands that clients left, once each; whether there were any."""
        before = self.view.rev
        for path in inbox.pending(self.paths.inbox):
            command = inbox.read(path)
            if command is None:
                say(f"The command {path.name} is not a sound one and was dropped.")
            elif command["id"] not in self.view.commands:
                self.record((events.COMMAND_APPLIED, command), durable=True)
            path.unlink(missing_ok=True)
        return self.view.rev != before

    def read_metrics(self, now: float) -> None:
        if now < self.next_metrics:
            return
        running = [variant.key for variant in self.view.running.values()]
        self.next_metrics = now + min(len(running) / STATS_A_SECOND, 1.0)
        self.channel.follow(variant.key for variant in self.view.active.values())
        if self.metrics.waiting:
            self.record(*((events.JOB_REPORTED, data) for data in self.metrics.late(now)))
            self.planned = (
                self.planned if self.metrics.waiting else -1
            )  # the scan may be complete now
        self.record(
            *(
                (events.JOB_REPORTED, data)
                for key in running
                if (data := self.metrics.read(key, now))
            )
        )

    def observe(self, now: float) -> None:
        """Ask the engine, not more often than it likes to be asked."""
        if now < self.next_poll:
            return
        self.next_poll = now + self.backend.poll_s
        jobs = {
            variant.key: variant for variant in list(self.view.active.values()) if variant.submitted
        }
        if jobs:
            for key, seen in self.backend.poll(
                {key: v.engine_id or key for key, v in jobs.items()}
            ).items():
                self.step(jobs[key], seen, now)
        note = (self.backend.notice() or self.channel.notice() if jobs else None) or self.unsent(
            now
        )
        if note != self.view.engine_note:
            self.record((events.BACKEND_NOTED, {"message": note}))

    def step(self, variant: VariantView, seen: Observation, now: float) -> None:
        """Record what was seen of a job, if it is news."""
        if not is_news(variant, seen):
            return
        items: list[tuple[str, dict[str, Any]]] = []
        if seen.state in END_STATES:
            self.backend.collect(variant.key, variant.engine_id or variant.key)
            if last := self.metrics.finish(variant.key, seen.notebook, now):
                items.append((events.JOB_REPORTED, last))
        data = {
            name: value
            for name, value in asdict(ended_as(variant, seen, now)).items()
            if value not in (None, 0.0)
        }
        self.record(
            *items,
            (events.JOB_OBSERVED, {"key": variant.key, **data}),
            durable=seen.state in END_STATES,
        )
        if seen.state in END_STATES:
            self.keep([variant.key])

    def keep(self, keys: list[str]) -> None:
        """Take the digests of what jobs left that have ended."""
        try:
            self.manifest.add(keys)
        except OSError as error:  # the next runner catches up
            say(f"The manifest was not written: {error.strerror}.")

    def end_unwanted(self) -> None:
        unwanted = [
            variant
            for variant in self.view.active.values()
            if variant.stop_asked and variant.submitted
        ]
        if unwanted:
            self.backend.cancel(
                {variant.key: variant.engine_id or variant.key for variant in unwanted}
            )

    def propose(self) -> None:
        """Ask the sampler for as many points as can be used now."""
        if self.view.stopped:
            return
        if self.scan.recorded:
            self.record(
                *(
                    (events.VARIANT_PROPOSED, point)
                    for point in policy.given(self.view, self.paths.points)
                )
            )
            return
        missing = policy.missing_repeats(self.view)
        if missing:
            self.record(
                *(
                    self.proposed(v.point, repeat, Proposal(v.params, v.attrs))
                    for v, repeat in missing
                )
            )
        index = self.view.points
        wanted = min(self.view.trials() - index, self.room())
        if wanted <= 0:
            return
        known = policy.history(self.view) if self.sampler.adaptive else []
        found = self.sampler.propose(known, wanted, self.scan.seed, index)
        repeats = self.scan.space.repeats[1] if self.scan.space.repeats else 1
        self.record(
            *(
                self.proposed(point, repeat, proposal)
                for point, proposal in enumerate(found, index)
                for repeat in range(repeats)
            )
        )

    def room(self) -> int:
        """How many points to propose now: one that learns is asked only for what can start at once."""
        if not self.sampler.adaptive:
            return PROPOSE_AT_ONCE
        if self.view.active and self.backend.capabilities.by_generation:
            return 0
        slots = self.backend.slots() or self.scan.parallel or ADAPTIVE_AT_ONCE
        repeats = self.scan.space.repeats[1] if self.scan.space.repeats else 1
        free = slots - len(self.view.active) - sum(1 for _ in self.view.waiting())
        return -(-free // repeats) if free > 0 else 0

    def proposed(self, point: int, repeat: int, proposal: Proposal) -> tuple[str, dict[str, Any]]:
        """The event that makes a variant of a point."""
        space = self.scan.space
        chosen = {**space.fixed, **proposal.params}
        if space.repeats:
            chosen[space.repeats[0]] = repeat
        repeats = space.repeats[1] if space.repeats else 1
        ident = variant_id(point * repeats + repeat + 1)
        params = {name: chosen[name] for name in space}
        return events.VARIANT_PROPOSED, {
            "variant": ident,
            "point": point,
            "repeat": repeat,
            "params": params,
            "attrs": proposal.attrs,
        }

    def send(self, now: float) -> None:
        """Give waiting variants an attempt, as many as the engine takes at once."""
        slots = self.backend.slots()
        free = PROPOSE_AT_ONCE if slots is None else slots - len(self.view.active)
        chosen = list(islice(self.view.waiting(), max(free, 0)))
        if not chosen:
            return
        # Written before anything is sent: a runner killed in between finds the job by its key.
        self.record(
            *(
                (events.JOB_INTENDED, {"key": job_key(variant.id, variant.attempts + 1)})
                for variant in chosen
            ),
            durable=True,
        )
        self.submit(chosen, now)

    def submit(self, variants: list[VariantView], now: float) -> None:
        more = {"sender": str(self.sender)} if self.sender else {}
        jobs = [
            Job(v.key, self.paths.job(v.key), {**job_spec(self.scan, v.key, v.params), **more})
            for v in variants
        ]
        if not jobs:
            return
        for key, answer in self.backend.submit(jobs).items():
            if isinstance(answer, OSError) and answer.errno in NO_ROOM:
                # The job stays intended: the next runner sends it.
                raise StorageError(
                    f"The job {key} cannot be written: {answer.strerror}. Free some space, then resume the scan."
                )
            if isinstance(answer, Unreachable):  # the job stays intended
                self.unheard(answer, now)
            elif isinstance(answer, Exception):
                words = str(getattr(answer, "strerror", None) or answer).rstrip(".")
                message = f"The job could not be sent: {words}."
                failed = {
                    "state": "failed",
                    "reason": "submit",
                    "message": message,
                    "ended": time.time(),
                }
                self.record((events.JOB_OBSERVED, {"key": key, **failed}))
            else:
                self.record((events.JOB_SUBMITTED, {"key": key, "engine_id": answer}))

    def unheard(self, error: Unreachable, now: float) -> None:
        """Nothing can be sent now: come again later, and ask first what the engine has."""
        due = now + pause(error)
        self.unsettled = due if self.unsettled is None else min(self.unsettled, due)
        if isinstance(error, Full):
            self.full = str(error)
        elif not isinstance(error, Underway):
            self.silence = self.silence[0] if self.silence else now, str(error)

    def unsent(self, now: float) -> str | None:
        """One sentence for the user if jobs cannot be sent: at once where the engine has told why, else when it lasts."""
        since, words = self.silence or (now, "")
        if self.full is None and (
            self.silence is None or now - since < min(SILENT_S, SLOWEST * poll_interval_s())
        ):
            return None
        count = sum(1 for variant in self.view.active.values() if not variant.submitted)
        which = "1 job" if count == 1 else f"{count:,} jobs"
        if self.full is not None:
            return (
                f"{which} will be sent when there is room for more of yours. ({self.full.rstrip('.')}.)"
                if count
                else None
            )
        minutes = max(int(now - since) // 60, 1)
        return f"{which} could not be sent for {minutes} min; it is tried again. ({words.rstrip('.')}.)"


def pause(error: Unreachable) -> float:
    """How long to wait until an engine is asked again what it has."""
    if isinstance(error, Underway):
        return UNDERWAY_S
    return SLOWEST * poll_interval_s() if isinstance(error, Full) else poll_interval_s()


def is_news(variant: VariantView, seen: Observation) -> bool:
    """Whether what was seen says more of a job than is known."""
    if allowed(variant.state, seen.state):
        return True
    if seen.state != variant.state or seen.state in END_STATES:
        return False
    return any(getattr(seen, name) not in (None, getattr(variant, name)) for name in NEWS)


def ended_as(variant: VariantView, seen: Observation, now: float) -> Observation:
    """A job that was asked to stop and failed was stopped: say so, and when, and what is kept."""
    if (
        not variant.stop_asked
        or seen.state not in ("failed", "cancelled")
        or variant.state == "new"
    ):
        return seen
    kept = f" Epochs up to {variant.step} are kept." if variant.step else ""
    when = time.strftime("%H:%M", time.localtime(now))
    changed = {
        "state": "cancelled",
        "reason": "user",
        "message": f"Stopped by you at {when}.{kept}",
    }
    return Observation(**{**vars(seen), **changed})


def say(text: str) -> None:
    """Write a line into runner.log, which is this process's stderr."""
    with contextlib.suppress(OSError):  # the log may be on the disk that is full
        print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}", file=sys.stderr, flush=True)
