from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from jupyter_gridgpu.store.process import Process, this_process


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


@pytest.mark.parametrize("body", [None, [], "x", {}, {"host": "h", "boot": "b", "pid": "x", "start": 0}, {"cancelled": True}])
def test_what_names_no_process_is_none(body: object) -> None:
    assert Process.from_json(body) is None
