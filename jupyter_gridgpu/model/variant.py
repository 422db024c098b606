"""A variant as the fold knows it: its parameters, and what its latest job is known to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jupyter_gridgpu.model.job import END_STATES
from jupyter_gridgpu.model.metrics import Series

PAST_LIMIT = 50
_ATTEMPT = (
    "state",
    "reason",
    "message",
    "where",
    "gpu",
    "node",
    "engine_id",
    "link",
    "started",
    "ended",
)


@dataclass
class VariantView:
    """A variant with what its latest job is known to do."""

    id: str
    point: int
    repeat: int
    params: dict[str, Any]
    attrs: dict[str, Any] = field(default_factory=dict)
    number: int = 0  # in the order of their making, from 0
    state: str = "new"
    attempts: int = 0
    engine_id: str | None = None
    submitted: bool = False
    stop_asked: bool = False
    retry_asked: bool = False
    reason: str | None = None
    message: str | None = None
    cell: int | None = None
    where: str | None = None
    gpu: str | None = None
    started: float | None = None
    ended: float | None = None
    notebook: str | None = None
    peak_mb: float | None = None
    usage: dict[str, float] = field(default_factory=dict)
    gpu_s: float = 0.0
    step: int | None = None
    steps: int | None = None
    metrics: dict[str, Series] = field(default_factory=dict)
    queued: float | None = None  # when it was handed to the engine
    node: str | None = None
    link: str | None = None
    reported: float | None = (
        None  # when its newest reading was made, where metrics are sent rather than read on a shared disk
    )
    past: list[dict[str, Any]] = field(default_factory=list)  # what is kept of earlier attempts
    rev: int = 0

    @property
    def key(self) -> str:
        """The key of the latest job."""
        return f"{self.id}.{self.attempts}"

    @property
    def active(self) -> bool:
        """Whether a job of it may exist in the engine."""
        return self.attempts > 0 and self.state not in END_STATES

    def new_attempt(self, attempt: int) -> None:
        """Forget what the attempt before said, but for a short record; the GPU time it took stays counted."""
        spent, past = (
            self.gpu_s,
            [*self.past, self.attempt()][-PAST_LIMIT:] if self.attempts else [],
        )
        fresh = VariantView(self.id, self.point, self.repeat, self.params, self.attrs, self.number)
        self.__dict__.update(fresh.__dict__, attempts=attempt, gpu_s=spent, past=past)

    def attempt(self) -> dict[str, Any]:
        """The record of the latest attempt."""
        return {
            "attempt": self.attempts,
            "submitted": self.queued,
            **{name: getattr(self, name) for name in _ATTEMPT},
        }
