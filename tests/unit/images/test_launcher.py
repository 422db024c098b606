"""worker.sh with runtimes that are made up: what is looked at, what is said, what is run. tests/system has real ones."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_gridgpu import images
from jupyter_gridgpu.images.base import quoted, variable
from jupyter_gridgpu.model.resources import Container, Resources
from jupyter_gridgpu.testing.examples import small_scan
from jupyter_gridgpu.transport import key_files

from .kit import sandbox, sif

KEYS = ("v0001.1", "v0002.1")
TOOLS = ("sh", "uname", "dd", "sed", "cksum", "tail", "cat", "env")
FAKE = """#!/bin/sh
# A made-up runtime: says what it was given
case "$2" in exists) exit {exists} ;; inspect) echo sha256:1234; exit ;; esac
case "$1" in pull) echo "Trying to pull"; echo "Error: no route to the registry"; exit 125 ;; esac
for word in "$0" "$@"; do echo "[$word]"; done
echo "said by the runtime" >&2
env
"""


class Node:
    """A node with a PATH of its own and a scan folder."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.folder = folder / "bin", folder / "scan here"
        self.bin.mkdir()
        for key in KEYS:
            (self.folder / "jobs" / key).mkdir(parents=True)
        (self.folder / "worker.pyz").touch()
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool) or "")

    def has(self, *programs: str, exists: int = 0) -> None:
        for program in programs:
            (self.bin / program).write_text(FAKE.format(exists=exists))
            (self.bin / program).chmod(0o755)

    def run(
        self, container: Container, gpus: int = 0, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        script = self.folder / "worker.sh"
        script.write_text(
            images.launcher(
                replace(small_scan(), container=container, resources=Resources(gpus=gpus))
            )
        )
        return subprocess.run(
            ["sh", script, self.folder, *KEYS],
            env={"PATH": str(self.bin), **(env or {})},
            capture_output=True,
            text=True,
        )

    def logs(self) -> list[str]:
        return [
            log.read_text() if log.exists() else ""
            for key in KEYS
            for log in [self.folder / "jobs" / key / "launch.log"]
        ]

    def refused(self, code: int, container: Container, **more: object) -> str:
        """The one line that is said, to everybody."""
        ran = self.run(container, **more)  # type: ignore[arg-type]
        assert (ran.returncode, ran.stdout) == (code, "")
        assert self.logs() == [ran.stderr, ran.stderr]
        for key in KEYS:
            (self.folder / "jobs" / key / "launch.log").unlink()
        assert ran.stderr.count("\n") == 1
        return ran.stderr


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


@pytest.fixture
def box(tmp_path: Path) -> str:
    return str(sandbox(tmp_path / "ml base"))


def words(ran: subprocess.CompletedProcess[str]) -> list[str]:
    assert ran.returncode == 0, ran.stderr
    return [line[1:-1] for line in ran.stdout.splitlines() if line.startswith("[")]


def has(found: Sequence[str], *wanted: str) -> bool:
    return any(tuple(found[i : i + len(wanted)]) == wanted for i in range(len(found)))


@pytest.mark.parametrize(
    ("present", "taken"),
    [
        (("apptainer", "singularity", "podman"), "apptainer"),
        (("singularity", "podman"), "singularity"),
        (("podman",), "podman"),
    ],
)
def test_the_best_runtime_of_the_node_is_taken(
    node: Node, box: str, present: tuple[str, ...], taken: str
) -> None:
    node.has(*present)
    assert words(node.run(Container(box)))[0] == str(node.bin / taken)


def test_a_runtime_can_be_asked_for(node: Node, box: str) -> None:
    node.has("apptainer", "podman")
    assert words(node.run(Container(box, runtime="podman")))[0] == str(node.bin / "podman")


def test_a_node_without_a_runtime_says_which_were_looked_for(node: Node, box: str) -> None:
    said = node.refused(72, Container(box))
    assert "has no apptainer or singularity or podman to run" in said
    assert f"{box} (an unpacked image folder)" in said
    node.has("podman")
    assert "has no apptainer or singularity to run" in node.refused(
        72, Container(str(sif(node.folder / "x.sif")))
    )


def test_the_worker_runs_in_the_image_with_the_folder_and_the_data(
    node: Node, box: str, tmp_path: Path
) -> None:
    (tmp_path / "data $1").mkdir()
    for runtime, option in (("apptainer", "--bind"), ("podman", "--volume")):
        node.has(runtime)
        found = words(
            node.run(Container(box, runtime=runtime, binds=(f"{tmp_path}/data $1:/data:ro",)))
        )
        assert has(found, option, f"{node.folder}:{node.folder}")
        assert has(found, option, f"{tmp_path}/data $1:/data:ro")
        assert has(found, option, "/tmp:/tmp")
        assert found[-5:-2] == [f"{node.folder}/worker.pyz", "--together", "1"]
        assert found[-2:] == [f"{node.folder}/jobs/{key}/job.json" for key in KEYS]
        assert not has(found, "--nv")


def test_what_the_runtime_says_before_the_worker_does_is_in_the_first_jobs_log(
    node: Node, box: str
) -> None:
    node.has("apptainer")
    ran = node.run(Container(box))
    assert (ran.stderr, node.logs()) == ("", ["said by the runtime\n", ""])


def test_the_temporary_folder_of_the_engine_is_the_one_inside(
    node: Node, box: str, tmp_path: Path
) -> None:
    node.has("apptainer")
    (tmp_path / "job-tmp").mkdir()
    assert has(
        words(node.run(Container(box), env={"TMPDIR": str(tmp_path / "job-tmp")})),
        "--bind",
        f"{tmp_path}/job-tmp:/tmp",
    )
    assert has(words(node.run(Container(box), env={"TMPDIR": "/no/such"})), "--bind", "/tmp:/tmp")


def test_the_callers_python_does_not_get_in_and_the_engines_words_do(node: Node, box: str) -> None:
    node.has("apptainer")
    env = {
        "PYTHONPATH": "/x",
        "JUPYTER_PATH": "/y",
        "SLURM_JOB_ID": "7",
        "http_proxy": "p",
        "CUDA_VISIBLE_DEVICES": "0",
    }
    lines = node.run(Container(box), env=env).stdout.splitlines()
    assert {
        "SLURM_JOB_ID=7",
        "http_proxy=p",
        "CUDA_VISIBLE_DEVICES=0",
        f"GRIDGPU_IMAGE={box}",
    } <= set(lines)
    assert not [line for line in lines if line.startswith(("PYTHONPATH=", "JUPYTER_PATH="))]


def test_a_gpu_that_nobody_has_is_said(node: Node, box: str) -> None:
    node.has("apptainer")
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has a GPU")
    assert "A GPU was asked for" in node.refused(75, Container(box), gpus=1)
    assert "A GPU was asked for" in node.refused(
        75, Container(), gpus=1, env={"CUDA_VISIBLE_DEVICES": "NoDevFiles"}
    )


def test_a_gpu_of_the_engine_without_a_driver_is_said_and_tried(node: Node, box: str) -> None:
    node.has("apptainer")
    ran = node.run(Container(box), gpus=1, env={"CUDA_VISIBLE_DEVICES": "0"})
    assert "--nv" not in words(ran)
    assert "has no NVIDIA driver, though CUDA_VISIBLE_DEVICES is 0" in node.logs()[1]


def test_gpus_are_let_in_where_there_are_some(node: Node, box: str) -> None:
    node.has("apptainer", "podman", "nvidia-smi")
    assert "--nv" in words(node.run(Container(box), gpus=1))
    assert "--device=nvidia.com/gpu=all" in words(
        node.run(Container(box, runtime="podman"), gpus=1)
    )
    assert "--nv" not in words(node.run(Container(box)))


def test_a_node_that_does_not_see_the_folder_says_so(node: Node, box: str) -> None:
    (node.folder / "worker.pyz").unlink()
    assert f"does not see the scan's folder {node.folder}" in node.refused(71, Container(box))


def test_an_image_that_the_node_does_not_have_is_said(node: Node) -> None:
    node.has("apptainer")
    for ref in ("/nodes/only/x.sif", "/nodes/only/box"):
        assert f"The image {ref} is not there on" in node.refused(73, Container(ref))


def test_an_image_that_is_none_any_more_is_said(node: Node, box: str) -> None:
    node.has("apptainer")
    image = sif(node.folder / "x.sif")
    script = images.launcher(replace(small_scan(), container=Container(str(image))))
    image.write_text("something else")
    (node.folder / "worker.sh").write_text(script)
    ran = subprocess.run(
        ["sh", node.folder / "worker.sh", node.folder],
        env={"PATH": str(node.bin)},
        capture_output=True,
        text=True,
    )
    assert (ran.returncode, "is no SIF" in ran.stderr) == (73, True)


def test_data_that_the_node_does_not_have_is_said(node: Node, box: str) -> None:
    node.has("apptainer")
    assert "has no /nodes/data, which --bind asks for" in node.refused(
        73, Container(box, binds=("/nodes/data",))
    )


def test_an_image_that_cannot_be_fetched_is_said_in_the_runtimes_last_words(node: Node) -> None:
    node.has("podman", exists=1)
    said = node.refused(73, Container("docker://a/b:latest"))
    assert said.rstrip().endswith(
        "cannot get docker://a/b:latest (an image of a registry): Error: no route to the registry"
    )


def test_the_digest_of_a_fetched_image_is_handed_on(node: Node) -> None:
    node.has("podman")
    ran = node.run(Container("docker://a/b:latest"))
    assert "a/b:latest" in words(ran)
    assert "GRIDGPU_IMAGE_MARK=sha256:1234" in ran.stdout.splitlines()


def test_without_an_image_the_python_of_the_node_runs_the_worker(node: Node, box: str) -> None:
    for container in (Container(), Container(box, runtime="none")):
        (node.bin / "python3").unlink(missing_ok=True)
        text = images.launcher(replace(small_scan(), container=container))
        assert "apptainer" not in text
        assert "unset" not in text
        (node.folder / "worker.sh").write_text(text.replace(sys.executable, "/no/such/python"))
        command: list[str | Path] = ["sh", node.folder / "worker.sh", node.folder, *KEYS]
        ran = subprocess.run(command, env={"PATH": str(node.bin)}, capture_output=True, text=True)
        assert (ran.returncode, "has no python3" in ran.stderr) == (74, True)
        node.has("python3")
        ran = subprocess.run(command, env={"PATH": str(node.bin)}, capture_output=True, text=True)
        assert words(ran)[:2] == [str(node.bin / "python3"), f"{node.folder}/worker.pyz"]


@pytest.mark.parametrize("kind", ["none", "sandbox", "sif", "docker"])
def test_the_script_is_clean_posix_shell(tmp_path: Path, kind: str) -> None:
    ref = {"sandbox": "/no/box x", "sif": "/no/x y.sif", "docker": "docker://a/b"}.get(kind)
    text = images.launcher(
        replace(
            small_scan(), container=Container(ref, binds=("/a b:/c",)), resources=Resources(gpus=1)
        )
    )
    (tmp_path / "worker.sh").write_text(text)
    for shell in ("dash", "bash --posix", "busybox sh"):
        if shutil.which(shell.split()[0]):
            subprocess.run([*shell.split(), "-n", tmp_path / "worker.sh"], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(
            [
                "shellcheck",
                "--shell=sh",
                "--severity=warning",
                "--exclude=SC2034",
                tmp_path / "worker.sh",
            ],
            check=True,
        )


def test_words_stay_what_they_are_in_the_shell() -> None:
    nasty = "a b'c\"d$e`f\\g"
    shown = subprocess.run(
        ["sh", "-c", f'x=" y"; printf %s {quoted(nasty + variable("x") + nasty)}'],
        capture_output=True,
        text=True,
    )
    assert shown.stdout == f"{nasty} y{nasty}"


def test_what_jobs_send_with_gets_into_an_image_that_does_not_see_it_and_into_no_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "it's mine"))
    node, scan = Node(tmp_path), replace(small_scan(), channel="push")
    node.has("apptainer")
    text = images.launcher(replace(scan, container=Container(str(sandbox(tmp_path / "image")))))
    (node.folder / "worker.sh").write_text(text)

    def run() -> str:
        return subprocess.run(
            ["sh", node.folder / "worker.sh", node.folder, *KEYS],
            env={"PATH": str(node.bin)},
            capture_output=True,
            text=True,
        ).stdout

    assert "GRIDGPU_SENDER" not in run()
    key_files.write(key_files.sender_file(scan.id), {"key": "secret"})
    said = run()
    assert 'GRIDGPU_SENDER={\n "key": "secret"\n}' in said
    assert not [line for line in said.splitlines() if line.startswith("[") and "secret" in line]
    (node.folder / "sender.json").touch()  # what travelled with the job is its own
    assert "GRIDGPU_SENDER" not in run()
