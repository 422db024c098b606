"""worker.sh with made-up runtimes: what it looks at, what it says, and what it runs.

tests/system runs real containers.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from jupyter_gridgpu import images
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.images.shell import quoted, variable
from jupyter_gridgpu.model.environment import Environment
from jupyter_gridgpu.model.resources import Container, Resources
from jupyter_gridgpu.testing.examples import small_scan
from jupyter_gridgpu.transport import key_files
from tests.engines.ground import absent

from .kit import sandbox, sif

KEYS = ("v0001.1", "v0002.1")
TOOLS = (
    "sh",
    "uname",
    "dd",
    "sed",
    "cksum",
    "tail",
    "cat",
    "env",
    "mkdir",
    "rm",
    "dirname",
    "id",
    "grep",
)
FAKE = """#!/bin/sh
# A made-up runtime: it prints its arguments and its environment
case "$2" in exists) exit {exists} ;; inspect) echo sha256:1234; exit ;; esac
case "$1" in pull) echo "Trying to pull"; echo "Error: no route to the registry"; exit 125 ;; esac
for word in "$0" "$@"; do echo "[$word]"; done
echo "said by the runtime" >&2
env
"""


class Node:
    """A node with programs of its own, and a scan folder."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.folder = folder / "scan here"
        self.bin.mkdir()
        for key in KEYS:
            (self.folder / "jobs" / key).mkdir(parents=True)
            (self.folder / "jobs" / key / "job.json").touch()
        (self.folder / "worker.pyz").touch()
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool) or "")

    def install(self, *programs: str, exists: int = 0) -> None:
        """Install runtimes; `exists` is the exit code of `podman image exists`."""
        for program in programs:
            (self.bin / program).write_text(FAKE.format(exists=exists))
            (self.bin / program).chmod(0o755)

    def run(
        self, container: Container, gpus: int = 0, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the launcher of a scan with this container."""
        scan = replace(small_scan(), container=container, resources=Resources(gpus=gpus))
        return self.run_script(images.launcher_text(scan), env)

    def run_script(
        self, text: str, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        script = self.folder / "worker.sh"
        script.write_text(text)
        return subprocess.run(
            ["sh", script, self.folder, *KEYS],
            env={"PATH": str(self.bin), **(env or {})},
            capture_output=True,
            text=True,
        )

    def logs(self) -> list[str]:
        """Return the launch.log of each job; "" where there is none."""
        logs = [self.folder / "jobs" / key / "launch.log" for key in KEYS]
        return [log.read_text() if log.exists() else "" for log in logs]

    def refused(self, code: int, container: Container, **more: object) -> str:
        """Return the one line that is on stderr and in the log of each job."""
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


def arguments(ran: subprocess.CompletedProcess[str]) -> list[str]:
    """Return what the made-up runtime was started with."""
    assert ran.returncode == 0, ran.stderr
    return [line[1:-1] for line in ran.stdout.splitlines() if line.startswith("[")]


def has(found: Sequence[str], *wanted: str) -> bool:
    """Return whether these arguments stand one after another."""
    starts = range(len(found))
    return any(tuple(found[start : start + len(wanted)]) == wanted for start in starts)


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
    node.install(*present)
    assert arguments(node.run(Container(box)))[0] == str(node.bin / taken)


def test_a_runtime_can_be_asked_for(node: Node, box: str) -> None:
    node.install("apptainer", "podman")
    assert arguments(node.run(Container(box, runtime="podman")))[0] == str(node.bin / "podman")


def test_a_node_without_a_runtime_says_which_were_looked_for(node: Node, box: str) -> None:
    said = node.refused(72, Container(box))
    assert "has no apptainer or singularity or podman to run" in said
    assert f"{box} (an unpacked image folder)" in said
    node.install("podman")
    assert "has no apptainer or singularity to run" in node.refused(
        72, Container(str(sif(node.folder / "x.sif")))
    )


def test_the_worker_runs_in_the_image_with_the_folder_and_the_data(
    node: Node, box: str, tmp_path: Path
) -> None:
    (tmp_path / "data $1").mkdir()
    for runtime, option in (("apptainer", "--bind"), ("podman", "--volume")):
        node.install(runtime)
        found = arguments(
            node.run(Container(box, runtime=runtime, binds=(f"{tmp_path}/data $1:/data:ro",)))
        )
        mounts = [after for word, after in pairwise(found) if word == option]
        temporary = mounts[0].removesuffix(":/tmp")
        assert temporary.startswith("/tmp/gridgpu-tmp-")
        job = [f"{node.folder}/jobs/{key}" for key in KEYS]
        assert mounts == [
            f"{temporary}:/tmp",
            f"{temporary}:/var/tmp",
            f"{tmp_path}/data $1:/data:ro",
            f"{node.folder}:{node.folder}:ro",
            # The file of a job that the node trusts when it starts the job again is not the job's.
            f"{job[1]}:{job[1]}",
            f"{job[1]}/job.json:{job[1]}/job.json:ro",
            f"{job[0]}:{job[0]}",
            f"{job[0]}/job.json:{job[0]}/job.json:ro",
        ]
        assert found[-5:-2] == [f"{node.folder}/worker.pyz", "--together", "1"]
        assert found[-2:] == [f"{node.folder}/jobs/{key}/job.json" for key in KEYS]
        assert not has(found, "--nv")


def test_what_the_runtime_prints_before_the_worker_is_in_the_first_jobs_log(
    node: Node, box: str
) -> None:
    node.install("apptainer")
    ran = node.run(Container(box))
    assert (ran.stderr, node.logs()) == ("", ["said by the runtime\n", ""])


def test_jobs_have_a_temporary_folder_of_their_own_in_that_of_the_batch_system(
    node: Node, box: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.install("apptainer")
    given = tmp_path / "job tmp"
    given.mkdir()

    def made(binds: tuple[str, ...] = (), tmp: Path = given) -> Path:
        found = arguments(node.run(Container(box, binds=binds), env={"TMPDIR": str(tmp)}))
        return Path(next(word for word in found if word.endswith(":/var/tmp")).rpartition(":")[0])

    monkeypatch.setenv("TMPDIR", str(given))
    first = made()
    assert images.temporary_folder(int(first.name.rpartition("-")[2])) == first
    assert first.parent == given
    assert first.stat().st_mode & 0o777 == 0o700
    assert made(tmp=Path("/no/such")).parent == Path("/tmp")
    # What ended jobs have left is removed, and what those that run have is kept.
    running = first.with_name(f"{first.name.rpartition('-')[0]}-{os.getpid()}")
    running.mkdir()
    (first / "left").touch()
    data, table = tmp_path / "data", tmp_path / "table"
    data.mkdir()
    table.touch()
    second = made((f"{data}:/tmp/a b/data", f"{table}:/var/tmp/x/table"))
    assert {path.name for path in given.iterdir()} == {running.name, second.name}
    # The places of what is mounted inside are there before the container starts.
    assert (second / "a b" / "data").is_dir()
    assert (second / "x" / "table").is_file()
    assert f"{second}{str(node.folder).removeprefix('/tmp')}" == str(
        next(second.rglob("scan here"))
    )


def test_a_temporary_folder_of_the_user_is_taken_as_it_is(
    node: Node, box: str, tmp_path: Path
) -> None:
    node.install("podman")
    binds = (f"{tmp_path}:/tmp", f"{tmp_path}:/var/tmp")
    found = arguments(node.run(Container(box, binds=binds)))
    ends = (":/tmp", ":/var/tmp")
    assert [word for word in found if word.endswith(ends)] == list(binds)


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_nothing_is_written_through_what_a_job_left_at_the_name_of_its_log(
    node: Node, box: str, tmp_path: Path, kind: str
) -> None:
    target = tmp_path / "rc"
    target.touch()
    for key in KEYS:
        log = node.folder / "jobs" / key / "launch.log"
        if kind == "link":
            log.symlink_to(target)
        else:
            os.mkfifo(log)
    node.install("apptainer")
    assert "said by the runtime" in node.run(Container(box)).stderr
    assert node.run(Container("/no/image.sif")).returncode == 73
    assert target.read_text() == ""


NAMES = (
    "#RUN#",
    "#CASES#",
    "#NO_PROGRAM#",
    "{folder}",
    "a'b\"c",
    "$(touch x)`touch x`",
    "\\",
)


@pytest.mark.parametrize("name", NAMES)
def test_no_name_of_an_image_or_of_data_breaks_the_script(
    node: Node, tmp_path: Path, name: str
) -> None:
    node.install("apptainer", "podman")
    image = sandbox(tmp_path / name)
    data = re.sub(r'["\\]', "", name)  # no runtime takes these in a bind
    (tmp_path / f"data {data}").mkdir()
    binds = (f"{tmp_path}/data {data}:/data",)
    for runtime in ("apptainer", "podman"):
        ran = node.run(Container(str(image), runtime=runtime, binds=binds))
        assert (ran.returncode, ran.stderr) == (0, "")
        assert f"[{image}]" in ran.stdout or f"[{image}:O]" in ran.stdout
        assert f"[{binds[0]}]" in ran.stdout
    with pytest.raises(UsageError):
        images.launcher_text(replace(small_scan(), container=Container(f"/no/{name}\n")))
    # The same names stand in messages.
    for container in (Container(f"/no/{name}"), Container(str(image), binds=(f"/no/{data}",))):
        ran = node.run(container)
        assert ran.returncode == 73
        assert data in re.sub(r'["\\]', "", ran.stderr)
    assert not list(tmp_path.rglob("x"))


def test_the_batch_systems_variables_get_in_and_those_of_python_do_not(
    node: Node, box: str
) -> None:
    node.install("apptainer")
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


def test_a_node_without_a_gpu_says_so(node: Node, box: str) -> None:
    node.install("apptainer")
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has a GPU")
    assert "A GPU was asked for" in node.refused(75, Container(box), gpus=1)
    assert "A GPU was asked for" in node.refused(
        75, Container(), gpus=1, env={"CUDA_VISIBLE_DEVICES": "NoDevFiles"}
    )


def test_a_gpu_without_a_driver_is_tried_with_a_warning(node: Node, box: str) -> None:
    node.install("apptainer")
    ran = node.run(Container(box), gpus=1, env={"CUDA_VISIBLE_DEVICES": "0"})
    assert "--nv" not in arguments(ran)
    assert "has no NVIDIA driver, though CUDA_VISIBLE_DEVICES is 0" in node.logs()[1]


def test_the_container_gets_the_gpus_of_the_node(node: Node, box: str) -> None:
    node.install("apptainer", "podman", "nvidia-smi")
    assert "--nv" in arguments(node.run(Container(box), gpus=1))
    assert "--device=nvidia.com/gpu=all" in arguments(
        node.run(Container(box, runtime="podman"), gpus=1)
    )
    assert "--nv" not in arguments(node.run(Container(box)))


def test_a_node_that_does_not_see_the_folder_says_so(node: Node, box: str) -> None:
    (node.folder / "worker.pyz").unlink()
    assert f"does not see the scan's folder {node.folder}" in node.refused(71, Container(box))


def test_a_node_without_the_image_says_so(node: Node) -> None:
    node.install("apptainer")
    for ref in ("/nodes/only/x.sif", "/nodes/only/box"):
        assert f"The image {ref} is not there on" in node.refused(73, Container(ref))


def test_an_image_file_that_was_overwritten_is_refused(node: Node, box: str) -> None:
    node.install("apptainer")
    image = sif(node.folder / "x.sif")
    text = images.launcher_text(replace(small_scan(), container=Container(str(image))))
    image.write_text("something else")
    ran = node.run_script(text)
    assert (ran.returncode, "is no SIF" in ran.stderr) == (73, True)


def test_a_node_without_the_data_says_so(node: Node, box: str) -> None:
    node.install("apptainer")
    assert "has no /nodes/data, which --bind asks for" in node.refused(
        73, Container(box, binds=("/nodes/data",))
    )


def test_an_image_that_cannot_be_fetched_is_refused_with_the_runtimes_last_line(node: Node) -> None:
    node.install("podman", exists=1)
    said = node.refused(73, Container("docker://a/b:latest"))
    assert said.rstrip().endswith(
        "cannot get docker://a/b:latest (an image of a registry): Error: no route to the registry"
    )


def test_the_digest_of_a_fetched_image_is_handed_on(node: Node) -> None:
    node.install("podman")
    ran = node.run(Container("docker://a/b:latest"))
    assert "a/b:latest" in arguments(ran)
    assert "GRIDGPU_IMAGE_MARK=sha256:1234" in ran.stdout.splitlines()


def test_without_an_image_the_python_of_the_node_runs_the_worker(node: Node) -> None:
    text = images.launcher_text(small_scan())
    assert "apptainer" not in text
    text = text.replace(sys.executable, "/no/such/python")
    ran = node.run_script(text)
    assert (ran.returncode, "has no python3" in ran.stderr) == (74, True)
    node.install("python3")
    ran = node.run_script(text)
    assert arguments(ran)[:2] == [str(node.bin / "python3"), f"{node.folder}/worker.pyz"]


@pytest.fixture(params=["none", "sandbox", "sif", "docker"])
def script(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A launcher for each kind of image, with names that need quotes."""
    refs = {"sandbox": "/no/box x", "sif": "/no/x y.sif", "docker": "docker://a/b"}
    container = Container(refs.get(request.param), binds=("/a b:/c",))
    scan = replace(small_scan(), container=container, resources=Resources(gpus=1))
    path = tmp_path / "worker.sh"
    path.write_text(images.launcher_text(scan))
    return path


def test_posix_shells_read_the_script(script: Path) -> None:
    shells = [["sh"], ["dash"], ["bash", "--posix"], ["busybox", "sh"]]
    for shell in shells:
        if shutil.which(shell[0]):
            subprocess.run([*shell, "-n", script], check=True)


def test_shellcheck_finds_nothing_in_the_script(script: Path) -> None:
    if not shutil.which("shellcheck"):
        absent("shellcheck is missing: apt-get install shellcheck")
    # SC2034: without an image, the script has no use for some of its variables.
    options = ("--shell=sh", "--severity=warning", "--exclude=SC2034")
    subprocess.run(["shellcheck", *options, script], check=True)


def test_quoted_words_stay_what_they_are_in_the_shell() -> None:
    nasty = "a b'c\"d$e`f\\g"
    shown = subprocess.run(
        ["sh", "-c", f'x=" y"; printf %s {quoted(nasty + variable("x") + nasty)}'],
        capture_output=True,
        text=True,
    )
    assert shown.stdout == f"{nasty} y{nasty}"


def test_the_senders_key_gets_into_the_container_and_into_no_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "it's mine"))
    node = Node(tmp_path)
    node.install("apptainer")
    scan = replace(small_scan(), channel="push")
    text = images.launcher_text(
        replace(scan, container=Container(str(sandbox(tmp_path / "image"))))
    )
    assert "GRIDGPU_SENDER" not in node.run_script(text).stdout
    key_files.write(key_files.sender_file(scan.id), {"key": "secret"})
    ran = node.run_script(text)
    assert 'GRIDGPU_SENDER={\n "key": "secret"\n}' in ran.stdout
    assert not [word for word in arguments(ran) if "secret" in word]
    # A file that came with the job is used instead.
    (node.folder / "sender.json").touch()
    assert "GRIDGPU_SENDER" not in node.run_script(text).stdout


def test_variables_of_the_user_are_set_before_python_is_looked_for(node: Node, box: str) -> None:
    node.install("python3", "apptainer")
    values = {"DATA": "it's $HOME", "LD_PRELOAD": "", "PLACE": "/a b"}
    chosen = Environment(tuple(f"{name}={value}" for name, value in values.items()))
    scan = replace(small_scan(), environment=chosen)
    ran = node.run_script(images.launcher_text(scan).replace(sys.executable, "python3"))
    assert {f"{name}={value}" for name, value in values.items()} <= set(ran.stdout.splitlines())
    # The runtime of a container gets none of them: they are for what runs inside.
    contained = replace(scan, container=Container(box, runtime="apptainer"))
    assert "it's" not in node.run_script(images.launcher_text(contained)).stdout


def test_secrets_get_into_the_container_and_into_no_command(
    node: Node, box: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "my settings"))
    scan = replace(small_scan(), environment=Environment(secrets=("KEY",)))
    path = key_files.secrets_file(scan.id)
    for runtime in ("apptainer", "podman"):
        contained = replace(scan, container=Container(box, runtime=runtime))
        node.install(runtime)
        # A node that does not see the file says so.
        refused = node.run_script(images.launcher_text(contained))
        assert refused.returncode == 71
        assert f"does not see the secrets of the scan, {path}" in refused.stderr
        key_files.write(path, {"KEY": "very-private"})
        ran = node.run_script(images.launcher_text(contained))
        mount = "--bind" if runtime == "apptainer" else "--volume"
        assert has(arguments(ran), mount, f"{path}:{path}:ro")
        assert "very-private" not in ran.stdout + (node.folder / "worker.sh").read_text()
        path.unlink()
    # Where files travel with the job, they lie in its folder.
    (node.folder / path.name).write_text("{}")
    node.install("python3")
    launched = images.launcher_text(scan).replace(sys.executable, "python3")
    assert node.run_script(launched).returncode == 0
