"""Is everything as it was? Every digest that a scan kept, against the file it is of."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from jupyter_gridgpu.records.record import Record
from jupyter_gridgpu.store import manifest
from jupyter_gridgpu.store.manifest import START, Digests

READERS = 4  # files read at once: a network's delay counts more than the processor
SPEC = ("scan.json", "notebook.ipynb", "worker.pyz", "worker.sh", "points.jsonl")


@dataclass
class Verdict:
    """What became of the files whose digests were kept."""

    checked: int = 0
    size: int = 0
    changed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unrecorded: list[str] = field(
        default_factory=list
    )  # jobs that ended and of which no digest was kept
    running: int = 0

    @property
    def exit_code(self) -> int:
        """0 as recorded, 1 changed, 3 incomplete."""
        return (
            1 if self.changed else 3 if self.missing or self.unrecorded or not self.checked else 0
        )

    def to_json(self) -> dict[str, Any]:
        words = {0: "unchanged", 1: "changed", 3: "incomplete"}
        return {"verdict": words[self.exit_code], **vars(self)}


def verify(record: Record) -> Verdict:
    """Check every digest of a scan."""
    known = manifest.read(record.paths.manifest)
    wanted = {**_inputs(record), **known.get(START, {})}
    for key, files in known.items():
        wanted.update(files if key != START else {})
    verdict = Verdict(checked=len(wanted))
    for name, (state, size) in _looked_at(record, wanted):
        verdict.size += size
        if state != "same":
            (verdict.changed if state == "changed" else verdict.missing).append(name)
    ended = [variant for variant in record.variants if variant.attempts and not variant.active]
    verdict.unrecorded = [variant.key for variant in ended if variant.key not in known]
    verdict.running = len(record.view.active)
    return verdict


def _looked_at(record: Record, wanted: Digests) -> Iterable[tuple[str, tuple[str, int]]]:
    root = record.paths.folder

    def look(item: tuple[str, tuple[str, int]]) -> tuple[str, int]:
        name, (sha, size) = item
        try:
            found = manifest.digest(root, name)
        except (FileNotFoundError, NotADirectoryError):
            return "missing", 0
        except OSError:  # a link or a pipe stands there, or it cannot be read
            return "changed", 0
        return ("same" if found == (sha, size) else "changed"), found[1]

    with ThreadPoolExecutor(READERS) as pool:
        return list(zip(wanted, pool.map(look, wanted.items()), strict=True))


def changed_inputs(record: Record) -> list[str]:
    """Return the files of notebook and helpers that are not what they were at the start; missing ones too."""
    wanted = {
        name: found
        for name, found in _inputs(record).items()
        if name == "notebook.ipynb" or name.startswith("files/")
    }
    return [name for name, (state, _) in _looked_at(record, wanted) if state != "same"]


def _inputs(record: Record) -> Digests:
    body = record.provenance().get("inputs")
    found: Digests = {}
    for name, pair in body.items() if isinstance(body, dict) else ():
        if (
            isinstance(pair, list)
            and len(pair) == 2
            and (name in SPEC or name.startswith("files/"))
        ):
            found[name] = (str(pair[0]), int(pair[1]) if isinstance(pair[1], int) else -1)
    return found
