"""Makes the folder in which a notebook runs, with the scan's helper files, and tidies it up.

A notebook may change its helper files, and other variants must not see that. So a variant gets a
copy of its own: a copy that shares its blocks on the disk where the file system can make one, else
a plain copy of a small file. A large file is a link to the scan's only copy, which is read-only.
Nothing keeps root from writing to it, so such files are checked before and after the job.
"""

from __future__ import annotations

import contextlib
import fcntl
import filecmp
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_gridgpu.store.manifest import digest
from jupyter_gridgpu.store.opener import copy_file, open_new, open_users
from jupyter_gridgpu.store.paths import CopyPaths, ScanPaths, read_json
from jupyter_gridgpu.worker.shared_files import SharedFileProblem, shared_places

COPY_BYTES = 1024 * 1024  # a larger file is not copied for each variant
FICLONE = 0x40049409  # ioctl(2): make a file share the blocks of another one
PROVENANCE_BYTES = 16 * 1024 * 1024
# File systems keep times with different precision.
LATER_NS = 2_000_000_000
# What of a file's stat changes when the file changes. The time of the last change of status (ctime)
# cannot be set back, not even by root.
Mark = tuple[int, int, int, int]


class WorkFolder:
    """The folder in which one copy of a job runs its notebook.

    `problem` says that a file which all variants share was changed, or is not there, None as long
    as all is well; `reason` is that of the failure.
    """

    def __init__(self, scan: ScanPaths, copy: CopyPaths, log: Callable[[str], None]) -> None:
        self.path = copy.folder / "artifacts"
        self.problem: str | None = None
        self.reason = "notebook"
        self._scan = scan
        self._log = log
        self._can_clone = True
        self._folders: list[Path] = []
        self._places: dict[Path, Path] = {}  # relative path -> where a file lies outside the scan
        self._copies: dict[Path, Mark] = {}  # relative path -> mark of the variant's copy
        self._links: dict[Path, Mark] = {}  # relative path -> mark of the scan's file

    def fill(self) -> Path:
        """Make the folder with the helper files in it, and return it. Raises OSError."""
        self.path.mkdir(mode=0o700, exist_ok=True)
        for source in sorted(self._scan.files.rglob("*")):
            name = source.relative_to(self._scan.files)
            if source.is_dir():
                self._make_folder(name)
            else:
                self._bring(name, source)
        self._bring_shared()
        if self._links:
            names = ", ".join(map(str, list(self._links)[:5]))
            self._log(f"Read-only, since all variants share the large files: {names}.")
        self._look_for_earlier_changes()
        return self.path

    def _bring_shared(self) -> None:
        """Bring the helper files that this node sees where they lie."""
        try:
            self._places = shared_places(self._scan)
        except SharedFileProblem as error:
            self.problem, self.reason = str(error), "node"
        for name, place in self._places.items():
            for folder in reversed(name.parents[:-1]):
                self._make_folder(folder)
            self._bring(name, place)

    def _make_folder(self, name: Path) -> None:
        (self.path / name).mkdir(exist_ok=True)
        self._folders.append(name)

    def _bring(self, name: Path, source: Path) -> None:
        """Put a helper file into the folder, as a copy or as a link."""
        if self._copied(source, self.path / name):
            self._copies[name] = _mark((self.path / name).lstat())
            return
        (self.path / name).symlink_to(source)
        with contextlib.suppress(OSError):  # a link of the grid that leads nowhere
            self._links[name] = _mark(source.stat())

    def _source(self, name: Path) -> Path:
        """Return the file that all variants share, of which a helper file is a copy or a link."""
        return self._places.get(name, self._scan.files / name)

    def tidy(self) -> None:
        """Remove the helper files that the notebook left as they were, and check the shared ones.

        What stays is what the notebook made or changed: its artifacts.
        """
        for name, mark in self._links.items():
            self._check_shared(name, mark)
            path = self.path / name
            if path.is_symlink():
                _remove(path)
        for name, mark in self._copies.items():
            if self._is_unchanged(name, mark):
                _remove(self.path / name)
        for name in sorted(self._folders, reverse=True):
            with contextlib.suppress(OSError):  # it holds artifacts, or was removed
                (self.path / name).rmdir()

    def _copied(self, source: Path, target: Path) -> bool:
        """Make a copy of a helper file for this variant; return False if it is to be a link."""
        try:
            about = source.stat()
            if not stat.S_ISREG(about.st_mode):
                return False
            cloned = self._cloned(source, target)
            if not cloned and about.st_size > COPY_BYTES:
                return False
            if not cloned:
                copy_file(source, target)
            # The scan's file is read-only, and the copy is the variant's own.
            target.chmod(stat.S_IMODE(about.st_mode) | stat.S_IWUSR | stat.S_IRUSR)
            os.utime(target, ns=(about.st_atime_ns, about.st_mtime_ns))
        except PermissionError:
            return False
        return True

    def _cloned(self, source: Path, target: Path) -> bool:
        """Make a copy that shares its blocks with the source, if the file system can do that."""
        if not self._can_clone:
            return False
        with open_users(source) as original, open_new(target) as copy:
            try:
                fcntl.ioctl(copy.fileno(), FICLONE, original.fileno())
                return True
            except OSError:
                self._can_clone = False
        target.unlink()
        return False

    def _is_unchanged(self, name: Path, mark: Mark) -> bool:
        path = self.path / name
        try:
            about = path.lstat()
            if not stat.S_ISREG(about.st_mode):
                return False
            if _mark(about) == mark:
                return True
            # It was opened for writing, or renamed there and back: its content tells.
            return filecmp.cmp(path, self._source(name), shallow=False)
        except OSError:
            return False

    # The files that all variants share --------------------------------------------------------

    def _look_for_earlier_changes(self) -> None:
        """Find shared files that were changed between the start of the scan and this job."""
        try:
            made_ns = self._scan.spec.stat().st_mtime_ns
        except OSError:  # files travelled with the job, so no other job has touched them
            return
        for name in (*self._links, *self._copies):
            changed_ns = self._source(name).stat().st_mtime_ns
            # A copy has the time of its original, which is older than the scan.
            if changed_ns > made_ns + LATER_NS and self._differs(name):
                self._note_change(name, "before this job began")

    def _check_shared(self, name: Path, before: Mark) -> None:
        try:
            now = _mark(self._source(name).stat())
        except OSError:  # a disk that is away, or a scan that was removed
            return
        if now != before and (now[:2] != before[:2] or self._differs(name)):
            self._note_change(name, "while this job ran")

    def _differs(self, name: Path) -> bool:
        """Return whether a shared file has another digest than at the start of the scan.

        Without a digest of that time, a file whose times have changed counts as another one.
        """
        known = self._digests().get(f"files/{name.as_posix()}")
        if not isinstance(known, list) or not known:
            return True
        try:
            return bool(digest(self._scan.files, name.as_posix())[0] != known[0])
        except OSError:
            return False

    def _digests(self) -> dict[str, Any]:
        body = read_json(self._scan.provenance, PROVENANCE_BYTES)
        inputs = body.get("inputs") if isinstance(body, dict) else None
        return inputs if isinstance(inputs, dict) else {}

    def _note_change(self, name: Path, when: str) -> None:
        message = (
            f"{name} was changed {when}. All variants share this file, so their results may be"
            " wrong: let the notebook write to a file of another name, and start a new scan."
        )
        self.problem = self.problem or message
        self._log(message)


def is_helper_copy(scan: ScanPaths, artifacts: Path, path: Path) -> bool:
    """Return whether a file in a folder of artifacts is a helper file that nobody changed.

    A worker removes them at its end, but not if it is killed.
    """
    try:
        copy, source = path.lstat(), (scan.files / path.relative_to(artifacts)).stat()
    except (OSError, ValueError):
        return False
    return (copy.st_size, copy.st_mtime_ns) == (source.st_size, source.st_mtime_ns)


def _mark(about: os.stat_result) -> Mark:
    return about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
