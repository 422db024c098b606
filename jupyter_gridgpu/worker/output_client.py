"""A client of nbclient that keeps a bounded part of what kernels send, and fails for none of it.

Printed text goes to the log and the metrics as well, tracebacks to the log.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from nbclient.exceptions import CellExecutionComplete

from jupyter_gridgpu.worker.cell_output import CellOutput
from jupyter_gridgpu.worker.job_log import FLUSH_EVERY_S, JobLog
from jupyter_gridgpu.worker.kept_output import bound_error
from jupyter_gridgpu.worker.metrics.recorder import MetricsRecorder
from jupyter_gridgpu.worker.output_drain import DrainingClient
from jupyter_gridgpu.worker.output_widget import SparingOutputWidget


class KeepingClient(DrainingClient):
    """papermill's client, which bounds the outputs of each cell."""

    def __init__(self, *args: Any, log: JobLog, metrics: MetricsRecorder, **options: Any) -> None:
        super().__init__(*args, **options)
        self._job_log = log
        self._metrics = metrics
        self._output = CellOutput(log, metrics)
        self._complained = False
        self.clear_before_next_output = False
        self.widget_registry = {"@jupyter-widgets/output": {"OutputModel": SparingOutputWidget}}

    async def flush_log(self) -> None:
        """Write what was printed to the log soon, while a cell runs."""
        while True:
            await asyncio.sleep(FLUSH_EVERY_S / 2)
            self._output.flush_if_due()

    def tell_widgets(self) -> None:
        """Tell the kernel what its widgets have shown in the cell that has ended."""
        for widget in self.comm_objects.values():
            # A kernel that is dead need not know.
            with contextlib.suppress(Exception):
                widget.send_outputs()

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        """Read a message of the kernel, then let papermill keep it as an output.

        What a kernel sends is never a reason to fail: a message that cannot be kept is left out.
        """
        kind, content = msg["msg_type"], msg["content"]
        try:
            if kind == "stream":
                self._output.read(content["name"], content["text"])
            elif kind in ("display_data", "execute_result"):
                self._metrics.take_display(content.get("data", {}))
            elif kind == "error":
                bound_error(content)
                self._output.read_error(content["traceback"])
            return super().process_message(msg, cell, cell_index)
        except CellExecutionComplete:
            raise
        except Exception as error:
            self._complain(f"{kind}: {type(error).__name__}: {error}")
            return None

    def output(self, outs: Any, msg: Any, display_id: str | None, cell_index: int) -> Any:
        """Keep an output in the notebook, if there is room for it."""
        if self.output_hook_stack[msg["parent_header"].get("msg_id")]:
            return super().output(outs, msg, display_id, cell_index)  # into a widget
        kept, content = self._output.kept, msg["content"]
        if self.clear_before_next_output:
            self.clear_before_next_output = False
            self._clear_outputs(outs, cell_index)
        if msg["msg_type"] == "stream":
            kept.add_text(outs, content["name"], content["text"])
            return None
        data = content.get("data")
        if data is not None and not self._output.accepts_display(data, display_id, update=False):
            return None
        return super().output(outs, msg, display_id, cell_index)

    def clear_output(self, outs: Any, msg: Any, cell_index: int) -> None:
        """Remove the outputs of a cell, now or when the next one comes."""
        hooked = self.output_hook_stack[msg["parent_header"].get("msg_id")]
        if hooked or msg["content"].get("wait"):
            super().clear_output(outs, msg, cell_index)
        else:
            self._clear_outputs(outs, cell_index)

    def _clear_outputs(self, outs: Any, cell_index: int) -> None:
        outs[:] = []
        self.clear_display_id_mapping(cell_index)
        self._output.kept.clear()

    def _update_display_id(self, display_id: str, msg: Any) -> None:
        if self._output.accepts_display(msg["content"].get("data"), display_id, update=True):
            super()._update_display_id(display_id, msg)

    def _complain(self, text: str) -> None:
        """Say once in the log that a message of the kernel could not be used."""
        if not self._complained:
            self._complained = True
            self._job_log.say(f"An output of the kernel was left out: {text[:200]}")

    def set_widgets_metadata(self) -> None:
        """Put the state of widgets into the notebook's metadata, as far as it can be used."""
        try:
            super().set_widgets_metadata()
        except Exception as error:
            self._complain(f"widgets: {type(error).__name__}: {error}")
