"""`gridgpu doctor`: on this machine as it is, where everything is wrong, beside batch systems."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from tests.engines.condor import Pool
from tests.engines.slurm import Cluster

from .helpers import strict_json
from .lab import Lab

PARTS = {
    *("Python", "Jupyter", "kernels", "home of scans", "scans", "GPUs here", "containers"),
    *("backends", "Slurm", "HTCondor", "PanDA", "queues", "profiles", "pace", "metrics", "secrets"),
}
# An environment in which nothing is right. The word s3cret must not be shown.
WRONG = {
    "GRIDGPU_HOME": "/proc/nothing",
    "GRIDGPU_POLL_S": "often",
    "JUPYTER_PREFER_ENV_PATH": "0",
    "JUPYTERHUB_API_TOKEN": "s3cret",
    "PANDA_AUTH": "oidc",
    "PANDA_AUTH_VO": "atlas",
    "PANDA_AUTH_ID_TOKEN": "s3cret",
}


@pytest.fixture(autouse=True)
def no_batch_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no batch system be known but those that a test asks for."""
    for name in ("CONDOR_CONFIG", "SLURM_CONF", "PANDA_AUTH", "PANDA_URL_SSL"):
        monkeypatch.delenv(name, raising=False)


def asked(lab: Lab, code: int | None = None, **env: str) -> dict[str, list[dict[str, Any]]]:
    """Return what `gridgpu doctor` finds, by the part that it looks at."""
    config = str(lab.folder / "config")
    ran = lab.gridgpu("doctor", "--json", code=code, env={"JUPYTER_CONFIG_DIR": config, **env})
    body = strict_json(ran.stdout)
    assert ran.stderr == ""
    assert set(body["parts"]) == PARTS
    assert body["healthy"] is (ran.returncode == 0)
    parts: dict[str, list[dict[str, Any]]] = body["parts"]
    return parts


def problems(findings: list[dict[str, Any]]) -> str:
    """Return what is wrong; for each problem there must be advice."""
    wrong = [finding for finding in findings if finding["level"] == "problem"]
    assert all(finding["advice"] for finding in wrong)
    return " ".join(finding["text"] for finding in wrong)


def test_a_sound_installation_is_said_to_be_sound(lab: Lab) -> None:
    parts = asked(lab, code=0, GRIDGPU_POLL_S="20")
    assert "jupyter_gridgpu 0." in parts["Python"][0]["text"]
    for name in ("Python", "Jupyter", "kernels", "home of scans"):
        assert {finding["level"] for finding in parts[name]} == {"ok"}, parts[name]
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
    spec = {"argv": ["/nowhere/python"], "display_name": "Gone", "language": "python"}
    kernel.write_text(json.dumps(spec))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        condor = lab.folder / "condor_config"
        condor.write_text(f"COLLECTOR_HOST = 127.0.0.1:{silent.getsockname()[1]}\n")
        places = {"JUPYTER_PATH": str(lab.folder / "data"), "CONDOR_CONFIG": str(condor)}
        parts = asked(lab, code=1, **WRONG, **places)
    assert problems(parts["Jupyter"]) == "The server extension is disabled."
    assert "'/nowhere/python'" in problems(parts["kernels"])
    assert "Scans cannot be kept in /proc/nothing" in problems(parts["home of scans"])
    assert problems(parts["HTCondor"]) == "HTCondor did not answer within 6 s."
    assert f"{declared}, line 2: the queue has no backend" in problems(parts["queues"])
    assert "GRIDGPU_POLL_S is 'often'" in problems(parts["pace"])
    assert "What PANDA_AUTH_ID_TOKEN holds is no token" in problems(parts["PanDA"])
    assert "s3cret" not in json.dumps(parts)


def test_batch_systems_that_answer(slurm: Cluster, condor_pool: Pool, lab: Lab) -> None:
    parts = asked(lab)
    said = [finding["text"] for finding in parts["Slurm"]]
    assert "slurmctld answers." in said
    assert "Arrays of up to 1,000 tasks." in said
    assert [finding["level"] for finding in parts["HTCondor"]] == ["ok", "ok", "ok"]
    assert "gpu" in parts["queues"][0]["text"]


def test_a_slurm_without_its_controller(slurm: Cluster, lab: Lab) -> None:
    conf = lab.folder / "slurm.conf"
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    lines = []
    for line in slurm.conf.read_text().splitlines():
        is_port = line.startswith("SlurmctldPort")
        lines.append(f"SlurmctldPort={port}" if is_port else line)
    conf.write_text("\n".join(lines))
    parts = asked(lab, code=1, SLURM_CONF=str(conf))
    assert problems(parts["Slurm"]).startswith("slurmctld does not answer")


def test_scans_that_nobody_drives(lab: Lab) -> None:
    scan = lab.training(1, steps=1)
    scan.wait()
    journal = scan.folder / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(line for line in lines if "scan.finished" not in line))
    spec = json.loads((scan.folder / "scan.json").read_text())
    (scan.folder / "scan.json").write_text(json.dumps({**spec, "created": 1.0}))
    [count, orphan] = asked(lab)["scans"]
    assert count["text"] == "1 scan"
    assert orphan["text"] == "1 scan: train has no runner and is not finished."
    assert orphan["advice"] == "gridgpu resume train"
