"""The ports of a kernel that is no ipykernel: on this machine alone, and only with the key."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from tests.kit import eventually
from tests.system.helpers import space
from tests.system.lab import Lab


@pytest.fixture
def bash(lab: Lab) -> None:
    """Install the bash kernel's spec where only this lab's scans see it."""
    prefix = lab.folder / "prefix"
    install = [sys.executable, "-m", "bash_kernel.install", "--prefix", str(prefix)]
    subprocess.run(install, check=True, capture_output=True)
    places = [str(prefix / "share" / "jupyter"), os.environ.get("JUPYTER_PATH", "")]
    lab.env["JUPYTER_PATH"] = os.pathsep.join(places)


def kernel_of(marker: Path) -> psutil.Process | None:
    """Return the kernel whose shell wrote its parent's process id into a file."""
    text = marker.read_text().strip() if marker.exists() else ""
    return psutil.Process(int(text)) if text else None


def send(connection: dict[str, Any], key: bytes, code: str) -> BlockingKernelClient:
    """Send code to a kernel, signed with a key; the client sends it as long as it is open."""
    client = BlockingKernelClient()
    theirs: Any = {**connection, "key": key}
    client.load_connection_info(theirs)
    client.start_channels(iopub=False, stdin=False, hb=False, control=False)
    client.execute(code, store_history=False)
    return client


@pytest.mark.usefixtures("bash")
def test_ports_of_another_kernel_need_the_key(lab: Lab, tmp_path: Path) -> None:
    notebook = lab.notebook(
        f"echo $PPID > {tmp_path}/pid; until [ -e {tmp_path}/go ]; do sleep 0.1; done",
        "sleep 2",
        "true",
        parameters="lr=0.1",
        kernel="bash",
        language="bash",
    )
    with ThreadPoolExecutor() as pool:
        running = pool.submit(lab.run, notebook, *space(lr=[1]))
        try:
            kernel = eventually(lambda: kernel_of(tmp_path / "pid"), "the kernel runs a cell")
            listening = [
                found.laddr.ip
                for found in kernel.net_connections("inet")
                if found.status == psutil.CONN_LISTEN
            ]
            assert len(listening) >= 5
            assert set(listening) == {"127.0.0.1"}
            file = Path(next(word for word in kernel.cmdline() if word.endswith(".json")))
            check_private(file)
            connection = json.loads(file.read_text())
            key = connection["key"].encode()
            assert len(key) >= 32
            clients = [
                send(connection, b"another key", f"touch {tmp_path}/stranger"),
                send(connection, b"", f"touch {tmp_path}/without"),
                send(connection, key, f"touch {tmp_path}/owner"),
            ]
            # The clients connect and send in the background. What they sent waits in the kernel
            # until its cell ends, and the next cell is long enough for what comes late.
            time.sleep(1)
        finally:
            (tmp_path / "go").touch()
        scan = running.result()
    for client in clients:
        client.stop_channels()
    assert scan.variant("v0001")["state"] == "done"
    assert (tmp_path / "owner").exists()  # such messages do reach the kernel
    assert not (tmp_path / "stranger").exists()
    assert not (tmp_path / "without").exists()


def check_private(file: Path) -> None:
    """Check that only this user can read a file, by its modes and by trying it."""
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) & 0o077 == 0
    setpriv = shutil.which("setpriv")
    if os.geteuid() == 0 and setpriv:
        nobody = [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups"]
        for words in (["cat", str(file)], ["ls", str(file.parent)]):
            assert subprocess.run([*nobody, *words], capture_output=True).returncode != 0
