"""The live table: an anywidget that shows a scan's journal as it grows, and sends its buttons' wishes to the inbox."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, TypeGuard

import anywidget
import traitlets

from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.errors import GridGpuError
from jupyter_gridgpu.model import wire
from jupyter_gridgpu.widgets.feed import FEED
from jupyter_gridgpu.widgets.saved_output import MIME_TYPE, saved
from jupyter_gridgpu.widgets.static_table import html

STATIC = Path(__file__).parent / "static"
HEAD_EVERY_S = 2.0  # the head (time left, a runner that died) changes without the journal
LOG_BYTES = 64 * 1024


class LiveTable(anywidget.AnyWidget):
    """One table under one cell. `update()` runs in the feed's thread, everything else in the kernel's main one."""

    _esm = STATIC / "table.js"
    _css = STATIC / "table.css"
    snapshot = traitlets.Dict().tag(sync=True)

    def __init__(self, handle: ScanHandle, browse: str | None = None) -> None:
        self.handle = handle
        self._browse = browse
        self._seen = -1  # the revision up to which the browser was told
        self._state = ""
        self._head_due = 0.0
        self._display: Any = None
        handle.refresh()
        super().__init__(snapshot=self._message("snapshot", -1))
        self.on_msg(self._on_message)

    def show(self) -> None:
        """Display the table, with what draws it where there is our server extension, and where no widget can be drawn."""
        from IPython.display import display

        self._display = display(self._bundle(), raw=True, display_id=True)
        FEED.add(self)

    def update(self) -> bool:
        """Send changed rows, if there are any; whether more may come."""
        try:
            self.handle.refresh()
            state = self.handle.state
            with self.handle.lock:
                if (
                    self.handle.view.rev != self._seen
                    or state != self._state
                    or time.monotonic() > self._head_due
                ):
                    self.send(self._message("upsert", self._seen))
            if state in ("done", "stopped"):
                self._refresh_static()
        except Exception as error:
            self.send({"type": "said", "text": f"The table stopped: {error}"})
            return False
        return state not in ("done", "stopped")

    def _message(self, kind: str, since: int) -> dict[str, Any]:
        """Rows that changed after revision `since` of the view, and the head."""
        with self.handle.lock:
            view = self.handle.view
            self._state, self._head_due = self.handle.state, time.monotonic() + HEAD_EVERY_S
            rows = [wire.row(view, variant) for variant in view.since(since)]
            self._seen = view.rev
            return {
                "type": kind,
                "from": since,
                "rev": view.rev,
                "scan": self._head(),
                "rows": rows,
            }

    def _head(self) -> wire.ScanInfo:
        head = wire.head(self.handle.view, self._state, time.time())
        return {
            **head,
            "folder": str(self.handle.folder),
            "browse": self._browse,
            "home": str(Path.home()),
        }

    def _bundle(self) -> dict[str, Any]:
        made = self._repr_mimebundle_()
        bundle: dict[str, Any] = dict(made[0] if isinstance(made, tuple) else made or {})
        with self.handle.lock:
            view = self.handle.view
            rows = [wire.row(view, variant) for variant in view.variants.values()]
            head = self._head()
            ours = {
                MIME_TYPE: saved(head, rows),
                "text/html": html(head, rows),
                "text/plain": repr(self.handle),
            }
            return {**bundle, **ours}

    def _refresh_static(self) -> None:
        """Let the output that is saved with the notebook tell the end, not the beginning."""
        if self._display is not None:
            self._display.update(self._bundle(), raw=True)

    def _on_message(self, widget: Any, content: Any, buffers: Any) -> None:
        """Answer the browser; whoever sent it, only what is sound is looked at."""
        kind = content.get("type") if isinstance(content, dict) else None
        if kind == "hello":
            since = content.get("since")
            with self.handle.lock:  # so that the feed sends nothing newer in between
                self.send(
                    self._message("upsert", since)
                    if _is_number(since)
                    else self._message("snapshot", -1)
                )
        elif kind in ("command", "log", "metrics", "job"):
            try:
                self.send(self._answer(kind, content))
            except GridGpuError as error:
                self.send({"type": "said", "text": str(error)})

    def _answer(
        self, kind: str, content: dict[str, Any]
    ) -> wire.Notice | wire.LogText | wire.JobMetrics | wire.JobDetails:
        if kind == "command":
            return self._command(content)
        job, start = str(content.get("variant")), content.get("start")
        if kind == "log":
            return self.handle.log_part(
                job, max(start, 0) if _is_number(start) else None, LOG_BYTES
            )
        return self.handle.curves(job) if kind == "metrics" else self.handle.job(job)

    def _command(self, content: dict[str, Any]) -> wire.Notice:
        variants, trials = content.get("variants"), content.get("trials")
        chosen = [str(variant) for variant in variants] if isinstance(variants, list) else None
        text = self.handle.command(
            str(content.get("action")), chosen, trials if _is_number(trials) else None
        )
        FEED.add(self)
        return {"type": "said", "text": text}


def _is_number(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def browse_link(handle: ScanHandle, folder: Path) -> str | None:
    """Make the scan folder visible below `folder`, the notebook's own, so that Jupyter can open what ran.

    Scans live in the user's data folder, which a Jupyter server does not show; a link in `gridscans/` does. Returns
    the link's path, or None where no link can be made.
    """
    link = folder / "gridscans" / handle.folder.name
    try:
        link.parent.mkdir(exist_ok=True)
        if link.is_symlink() and not link.exists():  # of a scan that is gone
            link.unlink()
        if not link.exists():
            link.symlink_to(handle.folder, target_is_directory=True)
        elif not link.samefile(handle.folder):
            return None
    except OSError:
        return None
    return str(link)
