"""A client of nbclient that reads the output of a cell to its end, however long that takes.

nbclient waits 4 s for the output that is still on its way when a cell has finished, and papermill
fails the notebook then. And it waits for ever where the kernel's word that the cell's output is
complete (`idle`) was lost: ZeroMQ drops what a kernel sends faster than it is read.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import queue
from typing import Any

from nbclient.exceptions import CellExecutionComplete
from papermill.clientwrap import PapermillNotebookClient

LOOK_EVERY_S = 0.5
PROBE_AFTER_S = 2.0  # a kernel sends `idle` right behind the reply
QUIET_S = 5.0  # for a kernel that sends no `idle` for the probe either
DEAD_QUIET_S = 0.5  # what a dead kernel had sent is here at once
ENDED_S = 2.0  # for the output of a cell that was interrupted
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"  # as nbclient writes the times of a cell


class DrainingClient(PapermillNotebookClient):  # type: ignore[misc]
    """papermill's client, for which a cell that has finished is finished.

    Both methods replace those of nbclient of the same name, which are called once for each cell.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._probes: set[str] = set()
        self._received = 0  # messages on the output channel
        self.output_was_lost = False

    def must_end(self) -> bool:
        """Return whether the job is being ended, so that output is worth no long wait."""
        return False

    async def _async_poll_for_reply(
        self, msg_id: str, cell: Any, timeout: Any, output_task: Any, alive_task: Any
    ) -> Any:
        """Return the kernel's reply to a cell when all output of the cell was read."""
        try:
            reply = await self._reply_to(msg_id)
        except asyncio.CancelledError:
            # nbclient cancels this when it sees that the kernel is dead.
            await self._read_rest(output_task)
            raise
        if getattr(self, "record_timing", False):
            times = cell["metadata"].setdefault("execution", {})
            times["shell.execute_reply"] = f"{reply['header']['date']:{TIME_FORMAT}}"
        try:
            await self._drain(output_task)
        except asyncio.CancelledError:
            # The kernel has died now, but the cell had finished.
            await self._read_rest(output_task)
        finally:
            alive_task.cancel()
        return reply

    async def _async_poll_output_msg(self, parent_msg_id: str, cell: Any, cell_index: int) -> None:
        """Read the output of a cell until the kernel is idle, or idle for a later request."""
        while True:
            message = await self._message(self.kc.iopub_channel)
            if message is None:
                continue
            self._received += 1
            parent = message["parent_header"].get("msg_id")
            if parent == parent_msg_id:
                try:
                    self.process_message(message, cell, cell_index)
                except CellExecutionComplete:
                    return
            elif parent in self._probes and _is_idle(message):
                # Messages come in the order in which they were sent, so the cell's own was lost.
                self.output_was_lost = True
                return

    async def _reply_to(self, msg_id: str) -> Any:
        """Wait for the reply to a request."""
        while True:
            message = await self._message(self.kc.shell_channel)
            if message is not None and message["parent_header"].get("msg_id") == msg_id:
                return message

    async def _message(self, channel: Any) -> Any:
        """Return the next message of a channel, or None if none comes for some time.

        The wait has an end since sending on a ZeroMQ socket may take away the signal that a message
        has arrived there; a new wait finds the message.
        """
        with contextlib.suppress(queue.Empty):
            found = channel.get_msg(timeout=LOOK_EVERY_S)
            return await found if inspect.isawaitable(found) else found
        return None

    async def _drain(self, output_task: Any) -> None:
        """Wait until all output of a cell that has finished was read, or until the job must end."""
        try:
            await self._wait_for_output(output_task)
        finally:
            # The answers to these probes may come while the next cell runs, and are not its own.
            self._probes.clear()
        await _cancelled(output_task)

    async def _wait_for_output(self, output_task: Any) -> None:
        loop = asyncio.get_running_loop()
        probe_at = loop.time() + PROBE_AFTER_S
        end_at = None
        replied: set[str] = set()
        before, quiet_since = self._received, loop.time()
        while not await _is_done(output_task, LOOK_EVERY_S):
            now = loop.time()
            if self._received != before:
                before, quiet_since = self._received, now
            if self.must_end():
                end_at = end_at or now + ENDED_S
                if now >= end_at:
                    break
            if self._probes and not replied:
                message = await self._message(self.kc.shell_channel)
                replied = self._probes & {(message or {}).get("parent_header", {}).get("msg_id")}
            if now >= probe_at:
                self._probes.add(self.kc.kernel_info())
                probe_at = now + PROBE_AFTER_S * (1 + len(self._probes))
            if replied and now - quiet_since > QUIET_S:
                self.output_was_lost = True
                break

    async def _read_rest(self, output_task: Any) -> None:
        """Read what a kernel that has died had sent."""
        before = -1
        while before != self._received:
            before = self._received
            if await _is_done(output_task, DEAD_QUIET_S):
                break
        await _cancelled(output_task)


async def _is_done(task: Any, within_s: float) -> bool:
    """Return whether a task is done, waiting for it a while. Raises what the task raised."""
    await asyncio.wait({task}, timeout=within_s)
    if not task.done():
        return False
    await task
    return True


async def _cancelled(task: Any) -> None:
    """End a task."""
    if not task.done():
        task.cancel()
        await asyncio.wait({task})


def _is_idle(message: Any) -> bool:
    content = message["content"]
    return bool(message["msg_type"] == "status" and content.get("execution_state") == "idle")
