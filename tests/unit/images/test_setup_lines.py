"""Setup lines and `--python` in worker.sh, run by the real shells: bash, and sh where it is not."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu import images
from jupyter_gridgpu.backends.htcondor.start_script import shell_arguments
from jupyter_gridgpu.images import setup
from jupyter_gridgpu.model.environment import Environment
from jupyter_gridgpu.model.resources import Container, Placement
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.examples import small_scan
from jupyter_gridgpu.worker.image import OWN_KERNEL_VARIABLE
from tests.kit import eventually

KEYS = ("v0001.1", "v0002.1")
TOOLS = ("sh", "uname", "rm", "cat", "sed", "head", "tail", "tr", "wc", "sleep", "setsid", "env")
# Stands for the worker: it prints what reached it.
WORKER = """\
import json, os, sys
print(json.dumps({"env": dict(os.environ), "program": sys.executable, "pid": os.getpid()}))
"""


class Node:
    """A scan folder whose launcher runs on this machine, in a given shell and environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "scan here"
        self.tmp = folder / "tmp"
        self.tmp.mkdir()
        for key in KEYS:
            (self.folder / "jobs" / key).mkdir(parents=True)
        (self.folder / "worker.pyz").write_text(WORKER)
        self.env = {**os.environ, "TMPDIR": str(self.tmp)}

    def without_bash(self) -> None:
        programs = self.folder.parent / "bin"
        programs.mkdir()
        for tool in TOOLS:
            (programs / tool).symlink_to(shutil.which(tool) or "")
        self.env["PATH"] = str(programs)

    def start(self, lines: Sequence[str], python: str | None = None) -> subprocess.Popen[str]:
        scan = replace(small_scan(), environment=Environment(setup=tuple(lines), python=python))
        script = self.folder / "worker.sh"
        script.write_text(images.launcher_text(scan))
        return subprocess.Popen(
            ["sh", script, self.folder, *KEYS],
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *lines: str, python: str | None = None) -> tuple[int, str, str]:
        """Return exit code, standard output and standard error of the launcher."""
        process = self.start(lines, python)
        out, err = process.communicate(timeout=60)
        assert list(self.tmp.iterdir()) == []  # what the lines exported is on no disk any more
        return process.returncode, out, err

    def worker(self, *lines: str, python: str | None = None) -> dict[str, Any]:
        """Return what the worker found."""
        code, out, err = self.run(*lines, python=python)
        assert code == 0, err
        assert out.count("\n") == 1  # nothing but the worker writes there: it may be metrics
        found = json.loads(out)
        assert isinstance(found, dict)
        return found

    def log(self) -> str:
        return (self.folder / "jobs" / KEYS[0] / "launch.log").read_text()


@pytest.fixture(params=["bash", "sh alone"])
def node(tmp_path: Path, request: pytest.FixtureRequest) -> Node:
    made = Node(tmp_path)
    if request.param == "sh alone":
        made.without_bash()
    return made


def test_what_the_lines_export_reaches_the_worker_and_nothing_else_does(node: Node) -> None:
    node.env |= {"OLD": "1\nexport PATH='x'", "GONE": "1"}
    found = node.worker(
        """export A="x 'y' \\$Z $OLD" """,
        "B='two words'; export B; local_one=5",
        "unset GONE; export OLD='a\\b'",
        "cd /; echo said; echo wrong >&2; (sleep 5; true) & true",
        "trap 'echo bye' EXIT; set -e; set -u",
        "export host=h folder=f keys=k",
    )
    env = found["env"]
    assert env["A"] == "x 'y' $Z 1\nexport PATH='x'"
    assert (env["B"], env["OLD"]) == ("two words", "a\\b")
    assert not {"GONE", "local_one"} & set(env)
    assert env["PWD"] == str(node.folder)
    said = node.log()
    assert "$ unset GONE; export OLD='a\\b'\n" in said
    assert "said\nwrong\n" in said
    assert said.endswith("The setup lines have run.\n")


FAILING = [
    ("false", "Setup line 2 failed with exit code 1 on {host}: false."),
    ("exit 3", "Setup line 2 failed with exit code 3 on {host}: exit 3."),
    ("exit 0", "Setup line 2 ended the shell on {host}: exit 0."),
    ("exit", "Setup line 2 ended the shell on {host}: exit."),
    ("exec env", "Setup line 2 ended the shell on {host}: exec env."),
    (". /no/such", "cannot open|No such file"),
    ("cd /no/such", "/no/such"),
    ("set -u; echo $NO_SUCH_NAME", "NO_SUCH_NAME"),
    ("set -e; false; true", "failed with exit code 1"),
    ("read -r line", "failed with exit code 1"),
    ("no-such-program", "not found"),
    ("echo 'not closed", "quote|matching"),
    ("fi", "syntax error|unexpected"),
    ("kill -9 $$", "exit code 137"),
    ("trap - EXIT; echo one; echo two; exit 7", "exit code 7 .* It said: .*one two"),
    ("echo 'a\\nb' \"$(printf '\\033[31mred')\"; false", "a\\\\nb"),
]


@pytest.mark.parametrize(("line", "words"), FAILING, ids=[line for line, _ in FAILING])
def test_a_line_that_fails_is_named_with_what_it_said(node: Node, line: str, words: str) -> None:
    code, out, err = node.run("echo earlier", line, "echo later")
    assert (code, out) == (76, "")
    said = err.splitlines()[-1]
    host = os.uname().nodename
    wanted = words.format(host=host)
    assert wanted == said or re.search(wanted, said, re.IGNORECASE)
    assert said.startswith("Setup line 2 ")
    assert "earlier" not in said
    assert "later" not in node.log().replace("earlier", "")
    for key in KEYS:
        assert (node.folder / "jobs" / key / "launch.log").read_text().endswith(f"{said}\n")


def test_a_line_that_waits_for_ever_is_ended_with_all_it_started(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "SETUP_S", 1)
    code, _, err = node.run(f"{sys.executable} -c 'import time; time.sleep(3333)'; true")
    assert code == 76
    assert err.startswith(f"Setup line 1 was ended after 1 s on {os.uname().nodename}: ")
    eventually(lambda: not _processes("time.sleep(3333)"))


def test_a_line_that_prints_without_end_is_ended(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "OUTPUT_BYTES", 100_000)
    code, _, err = node.run("while :; do echo 0123456789; done")
    assert code == 76
    assert "Setup line 1 printed too much and was ended" in err
    assert len(node.log()) < 110_000


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_ends_the_lines_and_the_launcher(node: Node, number: signal.Signals) -> None:
    mark = node.folder / "begun"
    process = node.start([f": >'{mark}'; sleep 4444"])
    eventually(mark.exists)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode in (-number, 128 + number)
    eventually(lambda: not _processes("4444"))
    assert list(node.tmp.iterdir()) == []


def test_the_worker_is_the_process_that_was_started(node: Node) -> None:
    process = node.start(["true"])
    out, _ = process.communicate(timeout=60)
    assert json.loads(out)["pid"] == process.pid


def test_lines_are_never_a_part_of_the_script(node: Node) -> None:
    line = """'; export BROKEN=1; echo '#CHECKS# "$(export BROKEN=1)" `export BROKEN=1`"""
    code, _, err = node.run(line)
    assert code == 76
    found = node.worker(f": {json.dumps(line)}", "export OK=1")
    assert (found["env"].get("BROKEN"), found["env"]["OK"]) == (None, "1")
    assert err


# which Python ---------------------------------------------------------------------------


def test_the_python_that_is_named_runs_alone(node: Node, tmp_path: Path) -> None:
    named = tmp_path / "own python"
    named.symlink_to("/usr/bin/python3")
    node.env["PYTHONHOME"] = "/usr"
    found = node.worker(python=str(named))
    assert found["program"] == str(named)
    assert "PYTHONHOME" not in found["env"]
    assert found["env"][OWN_KERNEL_VARIABLE] == "1"
    assert OWN_KERNEL_VARIABLE not in node.worker()["env"]


@pytest.mark.parametrize(
    ("python", "words"),
    [
        ("/no/such/python", "has no /no/such/python, which --python names."),
        ("no-such-python", "has no no-such-python, which --python names."),
        ("sleep", "sleep, which --python names, does not start as a Python on"),
        ("conda:no-such", "--python conda:no-such: .* has no conda environment no-such"),
    ],
)
def test_a_python_that_is_not_there_is_said(node: Node, python: str, words: str) -> None:
    code, out, err = node.run(python=python)
    assert (code, out) == (74, "")
    assert re.search(words, err)


def test_a_python_that_the_lines_put_on_the_path_runs_the_worker(
    node: Node, tmp_path: Path
) -> None:
    programs = tmp_path / "their bin"
    programs.mkdir()
    (programs / "python3").symlink_to("/usr/bin/python3")
    found = node.worker(f"export PATH='{programs}':$PATH")
    assert found["program"] == str(programs / "python3")
    assert node.worker("export A=1")["program"] == sys.executable


@pytest.mark.parametrize("place", ["CONDA_EXE", "MAMBA_ROOT_PREFIX", "CONDA_ENVS_PATH", "home"])
def test_a_conda_environment_is_found_by_name_and_activated(
    node: Node, tmp_path: Path, place: str
) -> None:
    made = _fake_conda_environment(tmp_path / "conda root" / "envs" / "ml")
    root = made.parent.parent
    for name in ("CONDA_PREFIX", "CONDA_DEFAULT_ENV", "CONDA_EXE", "MAMBA_ROOT_PREFIX"):
        node.env.pop(name, None)
    node.env["HOME"] = str(tmp_path)
    if place == "home":
        # conda keeps a list of all environments there.
        (tmp_path / ".conda").mkdir()
        (tmp_path / ".conda" / "environments.txt").write_text(f"/else/ml2\n{made}\n")
        if not shutil.which("grep", path=node.env["PATH"]):
            (Path(node.env["PATH"]) / "grep").symlink_to(shutil.which("grep") or "")
    else:
        values = {"CONDA_EXE": root / "bin" / "conda", "CONDA_ENVS_PATH": f"/no:{root}/envs"}
        node.env[place] = str(values.get(place, root))
    found = node.worker("export FROM_LINE=1", python="conda:ml")
    env = found["env"]
    assert found["program"] == f"{made}/bin/python"
    assert (env["CONDA_PREFIX"], env["CONDA_DEFAULT_ENV"]) == (str(made), "ml")
    assert (env["ACTIVATED"], env["FROM_LINE"]) == ("1", "1")
    assert env["PATH"].startswith(f"{made}/bin:")


def _fake_conda_environment(folder: Path) -> Path:
    """Make a folder that looks like an environment of conda, which is not installed here."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to("/usr/bin/python3")
    scripts = folder / "etc" / "conda" / "activate.d"
    scripts.mkdir(parents=True)
    (scripts / "some.sh").write_text("export ACTIVATED=1\n")
    return folder


# module ---------------------------------------------------------------------------------


def test_a_start_file_defines_module_where_it_is_missing(node: Node, tmp_path: Path) -> None:
    # A fake of environment modules: its start file defines the function.
    fake = tmp_path / "fake modules"
    (fake / "init").mkdir(parents=True)
    found, missing = "export CUDA_HOME=/x", 'echo "no $2"; return 1'
    text = f'module() {{ if [ "$2" = cuda ]; then {found}; else {missing}; fi; }}'
    for shell in ("bash", "sh"):
        (fake / "init" / shell).write_text(text)
    node.env["MODULESHOME"] = str(fake)
    assert node.worker("module load cuda")["env"]["CUDA_HOME"] == "/x"
    code, _, err = node.run("module load nothing")
    assert (code, "It said: no nothing" in err) == (76, True)


def _processes(word: str) -> list[str]:
    time.sleep(0.05)
    ran = subprocess.run(["ps", "-eo", "stat,args"], capture_output=True, text=True)
    lines = ran.stdout.splitlines()
    return [line for line in lines if word in line and not line.startswith("Z")]


# images that somebody else starts ---------------------------------------------------------


@pytest.mark.parametrize(
    ("backend", "runtime", "shared"),
    [("panda", "auto", True), ("slurm", "none", True), ("htcondor", "auto", False)],
)
def test_in_an_image_that_others_start_the_lines_run_inside(
    tmp_path: Path, backend: str, runtime: str, shared: bool
) -> None:
    node = Node(tmp_path)
    node.env |= {"PYTHONPATH": "/of/the/sender", "CONDA_PREFIX": "/of/the/sender"}
    scan = replace(
        small_scan(),
        backend=backend,
        container=Container("docker://ml/base", runtime=runtime),
        placement=Placement(shared=shared),
        environment=Environment(setup=("export PYTHONPATH=/of/the/line",)),
    )
    found = json.loads(_output(node, images.launcher_text(scan)))["env"]
    assert found["PYTHONPATH"] == "/of/the/line"
    assert "CONDA_PREFIX" not in found
    assert found["GRIDGPU_IMAGE"] == "docker://ml/base"


def test_htcondor_starts_the_launcher_in_the_image_where_there_are_lines() -> None:
    scan = replace(
        small_scan(),
        backend="htcondor",
        container=Container("docker://ml/base"),
        placement=Placement(shared=False),
    )
    paths = ScanPaths(Path("/scans/one"))
    assert "worker.sh" not in shell_arguments(scan, paths, "docker://ml/base")
    lines = replace(scan, environment=Environment(setup=("true",)))
    assert "sh worker.sh" in shell_arguments(lines, paths, "docker://ml/base")


def _output(node: Node, text: str) -> str:
    script = node.folder / "worker.sh"
    script.write_text(text)
    ran = subprocess.run(
        ["sh", script, node.folder, *KEYS], env=node.env, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
