"""All scans of the home as the server keeps them.

Only the watcher's scan thread may call what is in this module.
"""

from __future__ import annotations

import stat
import time
from logging import Logger
from pathlib import Path

from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.errors import StorageError, UnknownScan
from jupyter_gridgpu.model import wire
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.server.messages import LeftOutScan
from jupyter_gridgpu.server.watched_scan import SHARE, News, Pace, WatchedScan
from jupyter_gridgpu.store import home, ownership

SWEEP_S = 0.05  # seconds after which a sweep ends; the scans that are left come first in the next
LEFT_OUT_LIMIT = 100  # folders that are left out and named to pages
UNREADABLE_S = 5.0  # seconds until the next look at a scan that could not be read


class WatchedScans:
    """Finds the scans of the home, sweeps those that are due, and gives them to pages."""

    def __init__(self, pace: Pace, log: Logger) -> None:
        """`pace` says how often scans are looked at; `log` is the server's."""
        self.pace = pace
        self._log = log
        self._scans: dict[str, WatchedScan] = {}  # by id
        # All folders that were looked at, with the time of the last change of their spec in ns.
        # Folders that are left out are among them, so that they are not looked at again.
        self._stamps: dict[Path, int] = {}
        self._left_out: dict[Path, LeftOutScan] = {}  # folders that cannot be shown, and why
        self._told_left_out: list[LeftOutScan] = []  # what pages know of them
        self._gone: list[str] = []  # ids of removed scans that no sweep has reported yet
        self._discovery_due = 0.0

    # what pages ask for --------------------------------------------------------------

    def find(self, id_or_name: str) -> WatchedScan:
        """Return a scan. Raises UnknownScan.

        The text comes from a page. It is compared with the scans that are known and is never made
        into a path, so it cannot lead out of the home.
        """
        found = self._known(id_or_name)
        if found is None or not found.folder.exists():
            self._discover()
            found = self._known(id_or_name)
        if found is None:
            raise UnknownScan(f"There is no scan {id_or_name[:100]!r}.")
        return found

    def _known(self, id_or_name: str) -> WatchedScan | None:
        found = self._scans.get(id_or_name)
        if found is not None:
            return found
        for watched in self._scans.values():
            if watched.scan.name == id_or_name:
                return watched
        return None

    def handle(self, id_or_name: str) -> ScanHandle:
        """Return a scan with its rows, as the journal has them now. Raises UnknownScan."""
        return self.find(id_or_name).handle()

    def heads(self) -> list[wire.ScanInfo]:
        """Return the heads of all scans that can be read, newest first.

        A head describes the scan as a whole, without its rows.
        """
        if not self._stamps:
            self._discover()
        heads = [self._head(watched) for watched in list(self._scans.values())]
        readable = [head for head in heads if head is not None]
        return sorted(readable, key=lambda head: head["created"], reverse=True)

    def listed(self) -> tuple[list[wire.ScanInfo], list[LeftOutScan]]:
        """Return the two parts of a ScanList; `list_parts` makes JSON of them."""
        return self.heads(), self.left_out()

    def left_out(self) -> list[LeftOutScan]:
        """Return the folders that cannot be shown as scans, and why; at most LEFT_OUT_LIMIT."""
        return list(self._left_out.values())[:LEFT_OUT_LIMIT]

    def _head(self, watched: WatchedScan) -> wire.ScanInfo | None:
        try:
            return watched.head()
        except Exception as error:  # a folder may hold anything; the other scans are sound
            self._log_once(watched, error)
            return None

    def forget(self, opener: object) -> None:
        """Close all scans that a page had opened, because the page has gone."""
        for watched in self._scans.values():
            watched.close(opener)

    # what a sweep does ---------------------------------------------------------------

    def sweep(self) -> tuple[News, float]:
        """Look at the scans that are due.

        Returns what is new, and the number of seconds until the next scan is due.
        """
        news = News()
        began = time.monotonic()
        if began >= self._discovery_due:
            self._discover()
        # The sweep ends after SWEEP_S, so that requests of pages get the thread in between. The
        # scans that wait longest come first, so that none is passed over for ever.
        for watched in sorted(self._scans.values(), key=lambda watched: watched.due):
            now = time.monotonic()
            if watched.due > now or now - began > SWEEP_S:
                break
            self._sweep(watched, news)
        news.gone = self._gone
        self._gone = []
        if self.left_out() != self._told_left_out:
            news.left_out = self._told_left_out = self.left_out()
        due = min([self._discovery_due, *(watched.due for watched in self._scans.values())])
        return news, max(due - time.monotonic(), 0.0)

    def _sweep(self, watched: WatchedScan, news: News) -> None:
        try:
            watched.sweep(news)
            self._left_out.pop(watched.folder, None)
        except Exception as error:  # a folder may hold anything; the other scans are sound
            watched.due = time.monotonic() + UNREADABLE_S
            self._log_once(watched, error)

    def _log_once(self, watched: WatchedScan, error: Exception) -> None:
        """Log an error of a scan, once. That its folder was removed is no error."""
        if watched.folder.exists() and watched.logged_error != str(error):
            watched.logged_error = str(error)
            self._leave_out(watched.folder, error, "cannot be shown")

    def _discover(self) -> None:
        """Add new scans, and drop those whose folder was removed or whose spec has changed."""
        began = time.monotonic()
        stamps = self._read_stamps()
        known = len(self._scans)
        for watched in list(self._scans.values()):
            # A spec never changes. If the file has another time, it is the spec of another scan.
            if stamps.get(watched.folder) != self._stamps.get(watched.folder):
                del self._scans[watched.scan.id]
                self._gone.append(watched.scan.id)
        new = [folder for folder, stamp in stamps.items() if self._stamps.get(folder) != stamp]
        if len(self._scans) < known:
            # What was left out may have been a copy of a scan that is gone.
            new += [folder for folder in self._left_out if folder in stamps and folder not in new]
        for folder in [*new, *(folder for folder in self._left_out if folder not in stamps)]:
            self._left_out.pop(folder, None)
        self._stamps = stamps
        for folder in new:
            self._admit(folder)
        ended = time.monotonic()
        # A home on a slow disk is searched less often, so that the search takes little of the time.
        self._discovery_due = ended + max(self.pace.home_s, SHARE * (ended - began))

    def _read_stamps(self) -> dict[Path, int]:
        """Return the scan folders of the home, with the time (ns) of their spec's last change."""
        try:
            return home.spec_stamps()
        except StorageError:
            # The home cannot be read now. If all scans were dropped now, every page would close
            # them. So nothing changes until the next look.
            return self._stamps

    def _admit(self, folder: Path) -> None:
        """Watch the scan in a folder, or log why it is left out."""
        try:
            _check_folder(folder)
            watched = WatchedScan(folder, self.pace)
            known = self._scans.setdefault(watched.scan.id, watched)
            if known is not watched:
                raise StorageError(f"it is a copy of the scan in {known.folder}.")
        except Exception as error:  # a folder may hold anything; the other scans are sound
            self._leave_out(folder, error, "is left out")

    def _leave_out(self, folder: Path, error: Exception, how: str) -> None:
        """Keep for pages why a scan is left out, and log it; `how` is the verb of the sentence."""
        why = one_line(str(error)) or "it cannot be read."
        self._log.warning("The scan in %s %s: %s", folder, how, why)
        self._left_out[folder] = {"folder": str(folder), "why": why}


def _check_folder(folder: Path) -> None:
    """Raise StorageError if a scan folder is not this user's, or if it is not safe to read it.

    Whether what is in it may be run is for the module that starts runners to say.
    """
    found = ownership.foreign(folder)
    if found is not None and found.why == ownership.OWNER:
        raise StorageError(
            f"something in it belongs to another user; `gridgpu watch {folder}` shows it."
        )
    if not folder.resolve().is_relative_to(home.home().resolve()):
        raise StorageError("its folder is outside the home of scans.")
    # A reader would only say that it is not readable.
    if not stat.S_ISREG((folder / "scan.json").lstat().st_mode):
        raise StorageError("its scan.json is no plain file.")
