"""A variant as the fold knows it: its parameters, and the state of its latest job."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jupyter_gridgpu.model.job import END_STATES
from jupyter_gridgpu.model.metrics import Series
from jupyter_gridgpu.model.records import UsageValues

PREEMPTIONS_LIMIT = 10  # a variant that is preempted so often in a row has failed
PAST_LIMIT = 50  # attempts that are remembered; a user may retry a variant for ever
# Fields that `past` keeps of an earlier attempt, beside its number and when it was sent.
_REMEMBERED = (
    "state", "reason", "message", "where", "gpu", "node", "link", "started", "ended",
)  # fmt: skip


@dataclass
class VariantView:
    """One variant: a point and a repeat, with what is known of its latest attempt.

    Times are seconds since the epoch, memory is MB. The fields from `state` on belong to the latest
    attempt, except for `gpu_s`, `past`, `rev` and the two that count preemptions.
    """

    id: str  # for example v0017
    point: int  # from 0
    repeat: int  # from 0
    params: dict[str, Any]
    attrs: dict[str, Any] = field(default_factory=dict)  # what the sampler wants to find again
    number: int = 0  # in the order in which variants were proposed, from 0
    state: str = "new"
    attempts: int = 0
    backend_id: str | None = None  # the backend's id of the job
    submitted: bool = False  # whether the backend is known to have the job
    stop_asked: bool = False
    retry_asked: bool = False
    taken_back: bool = False  # a rule has stopped the scan before the job ran
    reason: str | None = None
    message: str | None = None
    cell: int | None = None  # that failed, as In [n] counts in the user's notebook
    where: str | None = None  # the host of a local job, else the queue
    gpu: str | None = None
    started: float | None = None
    ended: float | None = None
    notebook: str | None = None  # path of the executed notebook in the scan folder
    peak_mb: float | None = None
    usage: UsageValues = field(default_factory=UsageValues)  # at the last heartbeat
    gpu_s: float = 0.0  # GPU seconds of all attempts together
    step: int | None = None
    steps: int | None = None
    metrics: dict[str, Series] = field(default_factory=dict)
    queued: float | None = None  # when the job was handed to the backend
    node: str | None = None
    link: str | None = None  # the batch system's own page about the job
    # When the newest reading was made. It is known only where jobs send their metrics: on a shared
    # disk, metrics are read as they are written.
    reported: float | None = None
    preempted: int = 0  # how many of the earlier attempts were preempted; these cost no retry
    preempted_in_row: int = 0  # the last so many of them
    past: list[dict[str, Any]] = field(default_factory=list)  # the earlier attempts, oldest first
    rev: int = 0  # the revision of the view at which the variant changed last

    @property
    def key(self) -> str:
        """The key of the latest job, for example v0017.2."""
        return f"{self.id}.{self.attempts}"

    @property
    def active(self) -> bool:
        """Whether the backend may have a job of this variant."""
        return self.attempts > 0 and self.state not in END_STATES

    @property
    def was_preempted(self) -> bool:
        """Whether the latest attempt ended because its node was wanted for something else."""
        return self.state == "failed" and self.reason == "preempted"

    def new_attempt(self, attempt: int) -> None:
        """Begin attempt number `attempt`; `past` keeps what was known of the attempt before."""
        past = self.past
        if self.attempts:
            past = [*past, self.attempt()][-PAST_LIMIT:]
        in_row = 0
        # A user who asks for another attempt hopes that all is different now.
        if self.was_preempted and not self.retry_asked:
            in_row = self.preempted_in_row + 1
        # All fields begin anew in the same object, since the view and the faces hold on to it.
        VariantView.__init__(
            self,
            self.id,
            self.point,
            self.repeat,
            self.params,
            self.attrs,
            self.number,
            attempts=attempt,
            preempted=self.preempted + self.was_preempted,
            preempted_in_row=in_row,
            gpu_s=self.gpu_s,  # GPU time of earlier attempts stays counted
            past=past,
        )

    def attempt(self) -> dict[str, Any]:
        """Return the record of the latest attempt, as `past` and `wire.Attempt` have it."""
        record: dict[str, Any] = {
            "attempt": self.attempts,
            "submitted": self.queued,
            "engine_id": self.backend_id,  # the key has its name from the first version
        }
        for name in _REMEMBERED:
            record[name] = getattr(self, name)
        return record
