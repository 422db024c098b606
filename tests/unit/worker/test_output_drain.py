"""Which messages end the reading of a cell's output."""

from __future__ import annotations

import asyncio
import queue
from typing import Any

import pytest
from nbclient.exceptions import CellExecutionComplete

from jupyter_gridgpu.worker import output_drain
from jupyter_gridgpu.worker.output_drain import DrainingClient
from tests.kit import run_async


class FakeChannel:
    """A channel of a fake kernel: it gives the messages that a test puts there."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    async def get_msg(self, timeout: float) -> dict[str, Any]:
        if not self.messages:
            await asyncio.sleep(timeout / 100)
            raise queue.Empty
        return self.messages.pop(0)


class FakeKernelClient:
    """A client of a fake kernel, which answers every probe and is idle after it."""

    def __init__(self) -> None:
        self.iopub_channel = FakeChannel()
        self.shell_channel = FakeChannel()
        self.asked = 0

    def kernel_info(self) -> str:
        self.asked += 1
        return f"probe {self.asked}"


class FakeDrainingClient(DrainingClient):
    """A DrainingClient without a notebook; `read` holds the texts that cells printed."""

    def __init__(self) -> None:
        self.kc = FakeKernelClient()
        self.read: list[str] = []
        self._probes = set()
        self._received = 0
        self.output_was_lost = False

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> None:
        if msg["msg_type"] == "status":
            raise CellExecutionComplete
        self.read.append(msg["content"]["text"])


def printed(parent: str, text: str) -> dict[str, Any]:
    return {
        "msg_type": "stream",
        "parent_header": {"msg_id": parent},
        "content": {"text": text},
    }


def idle(parent: str) -> dict[str, Any]:
    return {
        "msg_type": "status",
        "parent_header": {"msg_id": parent},
        "content": {"execution_state": "idle"},
    }


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask the kernel soon, and look often."""
    monkeypatch.setattr(output_drain, "PROBE_AFTER_S", 0.0)
    monkeypatch.setattr(output_drain, "LOOK_EVERY_S", 0.02)


def test_the_answer_to_an_old_probe_does_not_end_the_next_cell() -> None:
    """The output of the first cell comes so late that the kernel was asked before."""

    async def run() -> FakeDrainingClient:
        client = FakeDrainingClient()
        channel = client.kc.iopub_channel
        first = asyncio.ensure_future(client._async_poll_output_msg("first", {}, 0))
        drain = asyncio.ensure_future(client._drain(first))
        while client.kc.asked < 1:
            await asyncio.sleep(0.01)
        channel.messages += [printed("first", "late"), idle("first")]
        await drain
        channel.messages += [idle("probe 1"), printed("second", "kept"), idle("second")]
        await client._async_poll_output_msg("second", {}, 1)
        return client

    client = run_async(run())
    assert client.read == ["late", "kept"]
    assert not client.output_was_lost


def test_the_answer_to_a_probe_stands_for_an_idle_that_was_lost() -> None:
    async def run() -> FakeDrainingClient:
        client = FakeDrainingClient()
        output = asyncio.ensure_future(client._async_poll_output_msg("cell", {}, 0))
        drain = asyncio.ensure_future(client._drain(output))
        while client.kc.asked < 1:
            await asyncio.sleep(0.01)
        client.kc.iopub_channel.messages += [printed("cell", "rest"), idle("probe 1")]
        await asyncio.wait_for(drain, 60)
        return client

    client = run_async(run())
    assert client.read == ["rest"]
    assert client.output_was_lost
