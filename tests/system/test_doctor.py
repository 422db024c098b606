"""`gridgpu doctor` on this machine as it is, on one where everything is wrong, and beside real engines."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from tests.engines.condor import Pool
from tests.engines.slurm import Cluster

from .helpers import Lab, strict_json

PARTS = {
    "Python", "Jupyter", "kernels", "home of scans", "scans", "GPUs here", "containers", "backends", "Slurm", "HTCondor",
    "PanDA", "queues", "pace", "metrics",
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine is known but those that a test asks for."""
    for name in ("CONDOR_CONFIG", "SLURM_CONF", "PANDA_AUTH", "PANDA_URL_SSL"):
        monkeypatch.delenv(name, raising=False)


def asked(lab: Lab, code: int | None = None, **env: str) -> dict[str, list[dict[str, Any]]]:
    ran = lab.gridgpu(
        "doctor", "--json", code=code, env={"JUPYTER_CONFIG_DIR": str(lab.folder / "config"), **env}
    )
    body = strict_json(ran.stdout)
    assert ran.stderr == ""
    assert set(body["parts"]) == PARTS
    assert body["healthy"] is (ran.returncode == 0)
    parts: dict[str, list[dict[str, Any]]] = body["parts"]
    return parts


def problems(findings: list[dict[str, Any]]) -> str:
    """What is wrong, which has always an advice."""
    assert all(finding["advice"] for finding in findings if finding["level"] == "problem")
    return " ".join(finding["text"] for finding in findings if finding["level"] == "problem")


def test_a_sound_installation_is_said_to_be_sound(lab: Lab) -> None:
    parts = asked(lab, code=0, GRIDGPU_POLL_S="20")
    assert "jupyter_gridgpu 0." in parts["Python"][0]["text"]
    assert {
        finding["level"]
        for name in ("Python", "Jupyter", "kernels", "home of scans")
        for finding in parts[name]
    } == {"ok"}
    ran = lab.gridgpu("doctor", env={"JUPYTER_CONFIG_DIR": str(lab.folder / "config")})
    assert "The server extension is enabled." in ran.stdout
    assert not lab.home.exists(), "looking makes nothing"


def test_whatever_is_wrong_is_said_with_what_to_do_and_in_bounded_time(lab: Lab) -> None:
    config = lab.folder / "config"
    declared = config / "gridgpu/queues.d/lab.yaml"
    declared.parent.mkdir(parents=True)
    declared.write_text("queues:\n- {name: bad}\n")
    (config / "jupyter_server_config.json").write_text(
        '{"ServerApp": {"jpserver_extensions": {"jupyter_gridgpu.server": false}}}'
    )
    kernel = lab.folder / "data/kernels/gone/kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text(
        json.dumps({"argv": ["/nowhere/python"], "display_name": "Gone", "language": "python"})
    )
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (lab.folder / "condor_config").write_text(
            f"COLLECTOR_HOST = 127.0.0.1:{silent.getsockname()[1]}\n"
        )
        parts = asked(
            lab, code=1, GRIDGPU_HOME="/proc/nothing", GRIDGPU_POLL_S="often", JUPYTER_PATH=str(lab.folder / "data"),
            JUPYTER_PREFER_ENV_PATH="0", CONDOR_CONFIG=str(lab.folder / "condor_config"), JUPYTERHUB_API_TOKEN="s3cret",
            PANDA_AUTH="oidc", PANDA_AUTH_VO="atlas", PANDA_AUTH_ID_TOKEN="s3cret",
        )  # fmt: skip
    assert problems(parts["Jupyter"]) == "The server extension is disabled."
    assert "'/nowhere/python'" in problems(parts["kernels"])
    assert "Scans cannot be kept in /proc/nothing" in problems(parts["home of scans"])
    assert problems(parts["HTCondor"]) == "HTCondor did not answer within 6 s."
    assert f"{declared}, line 2: the queue has no backend" in problems(parts["queues"])
    assert "GRIDGPU_POLL_S is 'often'" in problems(parts["pace"])
    assert "What PANDA_AUTH_ID_TOKEN holds is no token" in problems(parts["PanDA"])
    assert "s3cret" not in json.dumps(parts)


def test_engines_that_answer(slurm: Cluster, condor_pool: Pool, lab: Lab) -> None:
    parts = asked(lab)
    assert "slurmctld answers." in [finding["text"] for finding in parts["Slurm"]]
    assert "Arrays of up to 1,000 tasks." in [finding["text"] for finding in parts["Slurm"]]
    assert [finding["level"] for finding in parts["HTCondor"]] == ["ok", "ok", "ok"]
    assert "gpu" in parts["queues"][0]["text"]


def test_a_slurm_without_its_controller(slurm: Cluster, lab: Lab) -> None:
    conf = lab.folder / "slurm.conf"
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    lines = slurm.conf.read_text().splitlines()
    conf.write_text(
        "\n".join(
            f"SlurmctldPort={port}" if line.startswith("SlurmctldPort") else line for line in lines
        )
    )
    parts = asked(lab, code=1, SLURM_CONF=str(conf))
    assert problems(parts["Slurm"]).startswith("slurmctld does not answer")


def test_scans_that_nobody_drives(lab: Lab) -> None:
    scan = lab.training(1, steps=1)
    scan.wait()
    journal = scan.folder / "journal.jsonl"
    journal.write_text(
        "".join(
            line for line in journal.read_text().splitlines(True) if "scan.finished" not in line
        )
    )
    spec = json.loads((scan.folder / "scan.json").read_text())
    (scan.folder / "scan.json").write_text(json.dumps({**spec, "created": 1.0}))
    [count, orphan] = asked(lab)["scans"]
    assert count["text"] == "1 scan"
    assert orphan["text"] == "1 scan: train has no runner and is not finished."
    assert orphan["advice"] == "gridgpu resume train"
