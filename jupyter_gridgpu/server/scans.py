"""All scans of the home as the server keeps them. Only the collector's thread touches this."""

from __future__ import annotations

import os
import stat
import time
from logging import Logger
from pathlib import Path

from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.errors import StorageError, UnknownScan
from jupyter_gridgpu.model import wire
from jupyter_gridgpu.server.watched_scan import SHARE, News, Pace, WatchedScan
from jupyter_gridgpu.store import home

BUDGET_S = 0.05  # of one sweep; scans that are still due are the first of the next one
BROKEN_S = 5.0  # until the next look at a scan that cannot be read


class WatchedScans:
    """Finds them, looks at those that are due, and gives them to pages by id or name."""

    def __init__(self, pace: Pace, log: Logger) -> None:
        self.pace = pace
        self._log = log
        self._scans: dict[str, WatchedScan] = {}  # by id
        self._stamps: dict[Path, int] = {}  # the folders that were looked at, as they were then
        self._gone: list[str] = []  # and not told yet
        self._due = 0.0

    # asked by pages -------------------------------------------------------------------

    def find(self, ident: str) -> WatchedScan:
        """Return a scan by id or name; nothing that is asked for is ever made a path. Raises UnknownScan."""
        found = self._known(ident)
        if found is None or not found.folder.exists():
            self._discover()
            found = self._known(ident)
        if found is None:
            raise UnknownScan(f"There is no scan {ident[:100]!r}.")
        return found

    def _known(self, ident: str) -> WatchedScan | None:
        return self._scans.get(ident) or next(
            (one for one in self._scans.values() if one.scan.name == ident), None
        )

    def handle(self, ident: str) -> ScanHandle:
        return self.find(ident).handle()

    def heads(self) -> list[wire.ScanInfo]:
        """Return all scans that can be read, newest first."""
        if not self._stamps:
            self._discover()
        found = [
            head for one in list(self._scans.values()) if (head := self._head(one)) is not None
        ]
        return sorted(found, key=lambda head: head["created"], reverse=True)

    def _head(self, one: WatchedScan) -> wire.ScanInfo | None:
        try:
            return one.head()
        except Exception as error:  # its folder may hold anything; the others are sound
            self._complain(one, error)
            return None

    def forget(self, opener: object) -> None:
        """A page has gone."""
        for one in self._scans.values():
            one.close(opener)

    # swept ------------------------------------------------------------------------------

    def sweep(self) -> tuple[News, float]:
        """Look at the scans that are due; return what is new and the seconds until there may be more."""
        news, began = News(), time.monotonic()
        if began >= self._due:
            self._discover()
        for one in sorted(self._scans.values(), key=lambda one: one.due):
            if one.due > time.monotonic() or time.monotonic() - began > BUDGET_S:
                break
            self._sweep(one, news)
        news.gone, self._gone = self._gone, []
        due = min([self._due, *(one.due for one in self._scans.values())])
        return news, max(due - time.monotonic(), 0.0)

    def _sweep(self, one: WatchedScan, news: News) -> None:
        try:
            one.sweep(news)
        except Exception as error:  # as above
            one.due = time.monotonic() + BROKEN_S
            self._complain(one, error)

    def _complain(self, one: WatchedScan, error: Exception) -> None:
        if one.folder.exists() and one.complaint != str(error):
            one.complaint = str(error)
            self._log.warning("The scan in %s cannot be shown: %s", one.folder, error)

    def _discover(self) -> None:
        """Take in scans that are new, and let go those that are not there any more."""
        began = time.monotonic()
        try:
            stamps = {
                folder: (folder / "scan.json").stat().st_mtime_ns for folder in home.folders()
            }
        except (StorageError, OSError):  # the home cannot be read now, or a scan was just removed
            stamps = self._stamps
        for one in [
            one
            for one in self._scans.values()
            if stamps.get(one.folder) != self._stamps.get(one.folder)
        ]:
            del self._scans[one.scan.id]
            self._gone.append(one.scan.id)
        new = [folder for folder, stamp in stamps.items() if self._stamps.get(folder) != stamp]
        self._stamps = stamps
        for folder in new:
            self._admit(folder)
        ended = time.monotonic()
        self._due = ended + max(self.pace.home_s, SHARE * (ended - began))

    def _admit(self, folder: Path) -> None:
        try:
            _check(folder)
            one = WatchedScan(folder, self.pace)
            known = self._scans.setdefault(one.scan.id, one)
            if known is not one:
                raise StorageError(f"it is a copy of the scan in {known.folder}.")
        except Exception as error:  # a broken folder does not take the others along
            self._log.warning("The scan in %s is left out: %s", folder, error)


def _check(folder: Path) -> None:
    """Raise StorageError for a folder that is somebody else's or leads out of the home, or whose spec is not a plain file."""
    if os.stat(folder).st_uid != os.geteuid():
        raise StorageError("it belongs to somebody else, whose notebook would be run.")
    if not folder.resolve().is_relative_to(home.home().resolve()):
        raise StorageError("its folder is outside the home of scans.")
    if not stat.S_ISREG(os.lstat(folder / "scan.json").st_mode):
        raise StorageError("its scan.json is no plain file.")
