"""The live table: an anywidget that shows a scan as it grows and passes on the user's commands.

It is used where our server extension does not run, as in VS Code. Where the extension runs,
JupyterLab draws the table from the server instead.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, TypeGuard

import anywidget
import traitlets

from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.errors import GridGpuError
from jupyter_gridgpu.model import wire
from jupyter_gridgpu.widgets.feed import EVERY_S, FEED
from jupyter_gridgpu.widgets.saved_output import output_forms
from jupyter_gridgpu.widgets.widget_bundle import widget_bundle

STATIC = Path(__file__).parent / "static"
# Seconds between two heads if no event has come. The time that is left changes without an event,
# and a runner dies without an event.
HEAD_EVERY_S = 2.0
FIRST_ROWS_S = 1.5  # seconds that the first display of a table may wait for rows
LOG_BYTES = 64 * 1024  # bytes of a log in one message
NOTHING_SEEN = -1  # lower than any revision of a journal

Answer = wire.Notice | wire.LogText | wire.JobMetrics | wire.JobDetails


class LiveTable(anywidget.AnyWidget):
    """One table under one cell.

    `update()` runs in the thread of the feed, everything else in the kernel's main thread. The lock
    of the handle keeps the two apart.
    """

    _esm = STATIC / "table.js"
    _css = STATIC / "table.css"
    snapshot = traitlets.Dict().tag(sync=True)

    def __init__(self, handle: ScanHandle, browse: str | None = None) -> None:
        """`browse` is the scan's folder as the notebook's Jupyter server shows it, if it does."""
        self.handle = handle
        self._browse = browse
        self._sent_rev = NOTHING_SEEN  # the revision that the browser has
        self._state = ""
        self._head_due = 0.0
        self._display: Any = None
        handle.refresh()
        super().__init__(snapshot=self._message("snapshot", NOTHING_SEEN))
        self.on_msg(self._on_message)

    def show(self) -> None:
        """Display the table and keep it up to date until the scan has ended."""
        from IPython.display import display

        self._wait_for_rows()
        self._display = display(self._bundle(), raw=True, display_id=True)
        FEED.add(self)

    def _wait_for_rows(self) -> None:
        """Wait a moment for the first rows, which a notebook that is saved at once then has."""
        deadline = time.monotonic() + FIRST_ROWS_S
        while time.monotonic() < deadline:
            self.handle.refresh()
            if self.handle.view.variants or self.handle.state != "running":
                return
            time.sleep(EVERY_S)

    def update(self) -> bool:
        """Send the rows that changed, if any. Return whether more changes may come."""
        try:
            self.handle.refresh()
            state = self.handle.state
            with self.handle.lock:
                if self._has_news(state):
                    self.send(self._message("upsert", self._sent_rev))
            if state in ("done", "stopped"):
                self._refresh_static()
        except Exception as error:
            # The feed would drop the table without a word, so the user is told here.
            self.send({"type": "said", "text": f"The table stopped: {error}"})
            return False
        return state not in ("done", "stopped")

    def _has_news(self, state: str) -> bool:
        if self.handle.view.rev != self._sent_rev or state != self._state:
            return True
        return time.monotonic() > self._head_due

    def _message(self, kind: str, since: int) -> dict[str, Any]:
        """Return the head, and the rows that changed after revision `since` of the view."""
        with self.handle.lock:
            view = self.handle.view
            self._state = self.handle.state
            self._head_due = time.monotonic() + HEAD_EVERY_S
            rows = [wire.row(view, variant) for variant in view.changed_since(since)]
            self._sent_rev = view.rev
            return {
                "type": kind,
                "from": since,
                "rev": view.rev,
                "scan": self._head(),
                "rows": rows,
            }

    def _head(self) -> wire.ScanInfo:
        foreign, accept = self.handle.foreign, self.handle.to_accept()
        head = wire.head(self.handle.view, self._state, time.time(), foreign, accept)
        return {
            **head,
            "folder": str(self.handle.folder),
            "browse": self._browse,
            "home": str(Path.home()),
        }

    def _bundle(self) -> dict[str, Any]:
        """Return the output of the cell in all its forms. A reader takes the best that it can draw.

        The labextension draws our own type, any other page with a kernel draws the widget, a page
        without a kernel shows the HTML, and a terminal shows the text.
        """
        with self.handle.lock:
            return {**widget_bundle(self), **output_forms(self.handle, self._head())}

    def _refresh_static(self) -> None:
        """Replace the output that is saved with the notebook, which shows the start of the scan.

        This is done once, when the scan has ended: each new output marks the notebook as changed.
        """
        if self._display is not None:
            self._display.update(self._bundle(), raw=True)

    def _on_message(self, widget: Any, content: Any, buffers: Any) -> None:
        """Answer a message of the browser. Messages that are not understood are dropped."""
        if not isinstance(content, dict):
            return
        kind = content.get("type")
        if kind == "hello":
            self._send_missed(content.get("since"))
        elif kind in ("command", "log", "metrics", "job"):
            try:
                self.send(self._answer(kind, content))
            except GridGpuError as error:
                self.send({"type": "said", "text": str(error)})

    def _send_missed(self, since: Any) -> None:
        """Send all rows to a page that opens, or only those that changed after revision `since`."""
        # The lock keeps the feed from sending newer rows before these, in the wrong order.
        with self.handle.lock:
            if _is_whole_number(since):
                self.send(self._message("upsert", since))
            else:
                self.send(self._message("snapshot", NOTHING_SEEN))

    def _answer(self, kind: str, content: dict[str, Any]) -> Answer:
        """Return the answer to a message of one of the known kinds. Raises GridGpuError."""
        if kind == "command":
            return self._command(content)
        job = str(content.get("variant"))
        if kind == "metrics":
            return self.handle.curves(job)
        if kind == "job":
            return self.handle.job(job)
        start = content.get("start")
        if not _is_whole_number(start):
            return self.handle.log_part(job, None, LOG_BYTES)
        return self.handle.log_part(job, max(start, 0), LOG_BYTES)

    def _command(self, content: dict[str, Any]) -> wire.Notice:
        """Leave a command for the runner, and follow the scan again if it had ended."""
        variants = content.get("variants")
        chosen = None
        if isinstance(variants, list):
            chosen = [str(variant) for variant in variants]
        trials = content.get("trials")
        if not _is_whole_number(trials):
            trials = None
        accept = content.get("accept")
        if not isinstance(accept, list):
            accept = []
        text = self.handle.command(
            str(content.get("action")), chosen, trials, [str(option) for option in accept]
        )
        # If the scan had ended, the feed has dropped this table.
        FEED.add(self)
        return {"type": "said", "text": text}


def _is_whole_number(value: Any) -> TypeGuard[int]:
    # True is an int for isinstance.
    return isinstance(value, int) and not isinstance(value, bool)


def browse_link(handle: ScanHandle, folder: Path) -> str | None:
    """Make a link to the scan in `gridscans/` below `folder`, the folder of the notebook.

    Scans lie in the user's data folder, which a Jupyter server does not show. Through the link a
    page can open executed notebooks. Returns the path of the link, or None if none can be made.
    """
    link = folder / "gridscans" / handle.folder.name
    try:
        link.parent.mkdir(exist_ok=True)
        if link.is_symlink() and not link.exists():  # the link leads to a scan that was removed
            link.unlink()
        if not link.exists():
            link.symlink_to(handle.folder, target_is_directory=True)
        elif not link.samefile(handle.folder):
            # Another scan has this name, or a folder of the user, which must not be touched.
            return None
    except OSError:
        return None
    return str(link)
