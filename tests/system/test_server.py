"""A Jupyter server with the extension, as it is installed, and real scans."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websocket

from tests.kit import eventually

from .helpers import gone, strict_json
from .lab import Lab
from .notebooks import LONG

CONFIG = Path(__file__).parents[2] / "labextension" / "server-config"
TOKEN = "a-token"


class Server:
    """A Jupyter server with nothing but the configuration that the package ships."""

    def __init__(self, lab: Lab) -> None:
        config = lab.folder / "config"
        (config / "jupyter_server_config.d").mkdir(parents=True)
        shipped = (CONFIG / "jupyter_gridgpu.json").read_text()
        (config / "jupyter_server_config.d" / "jupyter_gridgpu.json").write_text(shipped)
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = int(found.getsockname()[1])
        places = {}
        for name in ("config", "runtime", "data"):
            places[f"JUPYTER_{name.upper()}_DIR"] = str(lab.folder / name)
        command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"]
        command += [f"--port={self.port}", "--ServerApp.port_retries=0"]
        command += [f"--IdentityProvider.token={TOKEN}"]
        with open(lab.folder / "server.log", "wb") as log:
            self.process = subprocess.Popen(
                command, env=lab.environment(**places), cwd=lab.folder, stdout=log, stderr=log
            )
        eventually(self._answers, what="the server answers")

    def _answers(self) -> bool:
        assert self.process.poll() is None
        try:
            return "scans" in self.get("scans")
        except OSError:
            return False

    def get(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return the answer to a GET, or with a body to a POST. Raises HTTPError."""
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.port}/gridgpu/api/{path}"
        request = urllib.request.Request(url, data, {"Authorization": f"token {TOKEN}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return strict_json(answer.read().decode())

    def stream(self) -> Any:
        """Return a connection on which the server tells all that happens."""
        return websocket.create_connection(
            f"ws://127.0.0.1:{self.port}/gridgpu/api/events?token={TOKEN}", timeout=60
        )

    def end(self) -> None:
        """Stop the server."""
        self.process.terminate()
        self.process.wait(60)


@pytest.fixture
def server(lab: Lab) -> Iterator[Server]:
    """Yield a server that serves the scans of the lab."""
    made = Server(lab)
    yield made
    made.end()


def test_a_real_scan_is_told_from_its_beginning_to_its_end(lab: Lab, server: Server) -> None:
    stream = server.stream()
    assert strict_json(stream.recv()) == {"type": "scans", "scans": [], "left_out": []}
    scan = lab.training(2, "--minimize", "loss", steps=3)
    new = strict_json(stream.recv())
    assert (new["type"], new["scan"]["name"]) == ("scan", scan.name)
    assert new["scan"]["folder"] == str(scan.folder)
    stream.send(json.dumps({"type": "open", "scan": new["scan"]["id"]}))
    rows: dict[str, Any] = {}
    state, rev = "", -1
    while state != "done":
        message = strict_json(stream.recv())
        if message["type"] in ("snapshot", "upsert"):
            assert message["type"] == "snapshot" or message["from"] <= rev
            state, rev = message["scan"]["state"], message["rev"]
            rows.update({row["id"]: row for row in message["rows"]})
    stream.close()
    ends = {ident: (row["state"], row["value"]) for ident, row in rows.items()}
    assert ends == {"v0001": ("done", 3), "v0002": ("done", 6)}
    path = f"scans/{scan.name}/jobs/v0002"
    curve = server.get(f"{path}/metrics")["curves"]["loss"]
    assert curve == {"steps": [1, 2, 3], "values": [2, 4, 6]}
    assert "epoch 3" in server.get(f"{path}/log")["text"]
    assert server.get(f"{path}/notebook")["content"]["cells"][-1]["outputs"]
    assert server.get(path)["defaults"] == {"n": 0, "mark": "/dev/null", "steps": 4, "pause": 0.1}
    assert server.get("scans")["scans"][0]["best"] == "v0001"


def test_a_running_scan_is_stopped_and_tried_again(lab: Lab, server: Server) -> None:
    scan = lab.training(2, "--parallel", "2", steps=LONG)
    scan.wait_for("v0001", loss=1)
    commands = f"scans/{scan.name}/commands"
    answer = server.get(commands, {"action": "stop", "variants": ["v0001"]})
    assert answer["text"] == "Asked for: stop v0001."
    eventually(lambda: server.get(f"scans/{scan.name}/jobs?state=cancelled")["total"] == 1)
    server.get(commands, {"action": "stop"})
    eventually(lambda: server.get(f"scans/{scan.name}")["state"] == "stopped")
    with pytest.raises(urllib.error.HTTPError, match="400"):
        server.get(commands, {"action": "stop"})


def test_the_server_starts_a_killed_runner_again_and_survives_its_own_end(
    lab: Lab, server: Server
) -> None:
    scan = lab.training(2, steps=LONG)
    scan.wait_for("v0001", loss=1)
    assert scan.kill_runner() == 1
    runner = scan.runner()
    server.end()
    assert not gone(runner)
    lab.hurry()
    scan.wait("done")
    assert lab.marks() == ["1", "2"]
