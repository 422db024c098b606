"""The `Output` widget of ipywidgets, as a client without a browser has to play it.

nbclient sends all outputs of the widget back to the kernel for each new one. That takes the square
of their number, and it uses the channel on which the client waits for the cell's reply: sending on
a ZeroMQ socket may take away the signal that a message has arrived there, and the wait would never
end. So this widget sends once, when the cell has ended.
"""

from __future__ import annotations

from typing import Any

from nbclient.output_widget import OutputWidget
from nbformat.v4 import output_from_msg

from jupyter_gridgpu.worker.kept_output import KeptOutput


class SparingOutputWidget(OutputWidget):
    """Keeps a bounded part of its outputs, and tells the kernel of them once in a cell."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._kept = KeptOutput()
        self._unsent = False

    def output(self, outs: list[Any], msg: Any, display_id: str | None, cell_index: int) -> None:
        """Keep an output of the cell, if there is room for it."""
        if self.clear_before_next_output:
            self._clear()
        self.parent_header = msg["parent_header"]
        content = msg["content"]
        if msg["header"]["msg_type"] == "stream":
            self._kept.add_text(self.outputs, content["name"], content["text"])
        elif self._kept.accepts_display(content.get("data")):
            self.outputs.append(output_from_msg(msg))
        self._unsent = True

    def sync_state(self) -> None:
        """Note that the kernel has to learn of the outputs."""
        self._unsent = True

    def send_outputs(self) -> None:
        """Tell the kernel of the outputs, and put them into the widget's state in the notebook."""
        if not self._unsent:
            return
        self._unsent = False
        self._kept.refresh(self.outputs)
        state = self.executor.widget_state.get(self.comm_id)
        if state is not None:
            state["outputs"] = self.outputs
        super().sync_state()

    def clear_output(self, outs: list[Any], msg: Any, cell_index: int) -> None:
        """Forget the outputs now, or when the next one comes."""
        self.parent_header = msg["parent_header"]
        if msg["content"].get("wait"):
            self.clear_before_next_output = True
        else:
            self._clear()
            self._unsent = True

    def _clear(self) -> None:
        self.outputs = []
        self._kept.clear()
        self.clear_before_next_output = False
