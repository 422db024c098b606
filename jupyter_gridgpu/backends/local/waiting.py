"""How long jobs have been waited for that no worker took."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class HandedOver:
    """How often a job was handed over to workers here, and when last (on the tracker's clock)."""

    at: float = 0.0
    times: int = 0

    def again(self, now: float) -> None:
        """Note that the job was handed over once more."""
        self.at = now
        self.times += 1

    def patience_s(self, first_s: float) -> float:
        """Return how long to wait for the worker: longer each time, where all is slow."""
        return first_s * 2.0 ** (self.times - 1)

    def message(self) -> str | None:
        """Return what to say of a job that was handed over several times, else None."""
        if self.times < 2:
            return None
        return f"No worker has taken the job yet; it was handed over {self.times} times."
