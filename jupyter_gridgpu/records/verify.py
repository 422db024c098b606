"""Checks whether the files of a scan were changed, by the digests that the scan kept."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from jupyter_gridgpu.records.record import Record
from jupyter_gridgpu.store import manifest
from jupyter_gridgpu.store.manifest import SCAN_KEY, Digests

READERS = 4  # files read at once: on a network disk, waiting takes longer than hashing
HELPER_FOLDER = "files/"  # in the scan folder
NOTEBOOK = "notebook.ipynb"
# Our own code, which is no part of a pack.
CODE = ("worker.pyz", "worker.sh")
# The files of which provenance.json may hold digests, besides the helper files.
INPUTS = ("scan.json", NOTEBOOK, *CODE, "points.jsonl", "earlier.jsonl")
VERDICTS = {0: "unchanged", 1: "changed", 3: "incomplete"}  # by exit code

FileState = Literal["same", "changed", "missing"]


@dataclass
class Verdict:
    """The state of all files whose digests were kept. The field names are keys of the JSON."""

    checked: int = 0  # files
    size: int = 0  # bytes that were read
    changed: list[str] = field(default_factory=list)  # paths in the scan folder
    missing: list[str] = field(default_factory=list)
    # Keys of jobs that ended and of which no digests were kept.
    unrecorded: list[str] = field(default_factory=list)
    running: int = 0  # jobs that have not ended
    unreadable: int = 0  # lines of the journal

    @property
    def exit_code(self) -> int:
        """0: all as recorded; 1: a file was changed; 3: something is missing."""
        if self.changed or self.unreadable:
            return 1
        if self.missing or self.unrecorded or not self.checked:
            return 3
        return 0

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as one JSON object."""
        return {"verdict": VERDICTS[self.exit_code], **vars(self)}


def verify(record: Record) -> Verdict:
    """Check every digest that a scan kept. The files are read, and nothing is written."""
    by_job = manifest.read(record.paths.manifest)
    expected = {**_input_digests(record), **by_job.get(SCAN_KEY, {})}
    if record.paths.unpacked.exists():
        for name in CODE:
            expected.pop(name, None)
    for key, files in by_job.items():
        if key != SCAN_KEY:
            expected.update(files)
    verdict = Verdict(checked=len(expected))
    for name, (state, size) in _check_files(record, expected).items():
        verdict.size += size
        if state == "changed":
            verdict.changed.append(name)
        elif state == "missing":
            verdict.missing.append(name)
    for variant in record.variants:
        ended = variant.attempts > 0 and not variant.active
        if ended and variant.key not in by_job:
            verdict.unrecorded.append(variant.key)
    verdict.running = len(record.view.active)
    verdict.unreadable = record.view.unreadable
    return verdict


def changed_inputs(record: Record) -> list[str]:
    """Return the notebook and helper files that were changed or are missing since the start."""
    expected: Digests = {}
    for name, digest in _input_digests(record).items():
        if name == NOTEBOOK or name.startswith(HELPER_FOLDER):
            expected[name] = digest
    checked = _check_files(record, expected)
    return [name for name, (state, _) in checked.items() if state != "same"]


def _check_files(record: Record, expected: Digests) -> Mapping[str, tuple[FileState, int]]:
    """Return the state and the size (bytes) of each file, in the order of `expected`."""
    check = partial(_check_file, record.paths.folder)
    with ThreadPoolExecutor(READERS) as pool:
        return dict(zip(expected, pool.map(check, expected.items()), strict=True))


def _check_file(root: Path, item: tuple[str, tuple[str, int]]) -> tuple[FileState, int]:
    """Compare one file with its digest. `item` is the name, and the pair of digest and size."""
    name, expected = item
    try:
        found = manifest.digest(root, name, expected[1])
    except (FileNotFoundError, NotADirectoryError):
        return "missing", 0
    except OSError:
        # The file was replaced by a link or a pipe, or it cannot be read. A manifest from elsewhere
        # may also name a file outside of the folder, which is not opened.
        return "changed", 0
    if found != expected:
        return "changed", found[1]
    return "same", found[1]


def _input_digests(record: Record) -> Digests:
    """Return the digests of the jobs' inputs, as provenance.json holds them."""
    inputs = record.provenance().get("inputs")
    found: Digests = {}
    if not isinstance(inputs, dict):
        return found
    for name, pair in inputs.items():
        if name not in INPUTS and not name.startswith(HELPER_FOLDER):
            continue
        if not isinstance(pair, list) or len(pair) != 2:
            continue
        digest, size = pair
        # A size that is no number matches no file, which then counts as changed.
        if not isinstance(size, int):
            size = -1
        found[name] = (str(digest), int(size))
    return found
