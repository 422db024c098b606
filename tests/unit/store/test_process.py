from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_gridgpu.store.process import Process, boot_id, this_process
from tests.kit import eventually


def test_this_process_is_alive_also_after_a_way_through_json() -> None:
    found = Process.from_json(json.loads(json.dumps(this_process().to_json())))
    assert found == this_process()
    assert found is not None
    assert found.alive()


def test_a_process_of_another_host_boot_or_start_is_not_alive() -> None:
    here = this_process()
    assert not replace(here, host="another").alive()
    assert not replace(here, boot="earlier").alive()
    assert not replace(here, start=here.start + 1).alive()


def test_a_zombie_is_not_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not replace(this_process(), pid=child.pid, start=0).alive()


def test_a_pid_that_nobody_has_is_not_alive() -> None:
    assert not replace(this_process(), pid=2**22 + 1, start=0).alive()


@pytest.mark.parametrize(
    "body",
    [None, [], "x", {}, {"host": "h", "boot": "b", "pid": "x", "start": 0}, {"cancelled": True}],
)
def test_what_names_no_process_is_none(body: object) -> None:
    assert Process.from_json(body) is None


THREADED = """
import ctypes, sys, threading, time
threading.Thread(target=lambda: (print("on", flush=True), sys.stdin.read())).start()
ctypes.CDLL(None).pthread_exit(None)
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are not to be seen here")
def test_a_process_whose_first_thread_has_ended_lives_as_long_as_another() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", THREADED], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        process = Process(socket.gethostname(), boot_id(), child.pid, 0)
        stat = Path(f"/proc/{child.pid}/stat")
        eventually(lambda: stat.read_text().rpartition(")")[2].split()[0] == "Z", "it is a zombie")
        assert process.alive()
        child.kill()
        eventually(lambda: not process.alive(), "the process is gone")
