"""The plainest channels: the metrics file of a job on a file system that both sides see, and none until the job ends."""

from __future__ import annotations

import json
from collections.abc import Iterable

from jupyter_gridgpu.model.metrics import Reading, clean_step, clean_usage, clean_values
from jupyter_gridgpu.model.numbers import decode
from jupyter_gridgpu.store.paths import CopyPaths, JobPaths, ScanPaths
from jupyter_gridgpu.store.tail import read_lines


class FileChannel:
    """Tails metrics.jsonl of a copy. The file is untrusted: what is not a sound reading is dropped."""

    def place(self, paths: ScanPaths, key: str) -> JobPaths:
        return paths.job(key)

    def read(self, copy: CopyPaths, cursor: int | None) -> tuple[list[Reading], int]:
        try:
            lines, offset = read_lines(copy.metrics, cursor or 0)
        except (
            OSError
        ):  # a network disk that does not answer now; or a job made something else of its file
            return [], cursor or 0
        return [reading for line in lines if (reading := parse(line)) is not None], offset

    def follow(self, keys: Iterable[str]) -> None:
        """Their files are where they are looked for."""

    def settled(self, key: str) -> bool:
        return True

    def notice(self) -> str | None:
        return None

    def close(self) -> None:
        """Nothing is held open."""


class EndChannel(FileChannel):
    """Nothing comes while a job runs: what it left is read when it has ended."""

    def place(self, paths: ScanPaths, key: str) -> JobPaths:
        return paths.arrival(key)


def parse(line: bytes) -> Reading | None:
    """Return the reading of one line, or None for anything unsound."""
    try:
        body = json.loads(line)
        time, values, usage = (
            decode(body["t"]),
            clean_values(body.get("m", {})),
            clean_usage(body.get("beat")),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if "m" not in body and not usage:
        return None
    return Reading(
        time or 0.0, clean_step(body.get("s")), clean_step(body.get("of")), values, usage
    )
