"""A Slurm cluster on this machine: two nodes with two pretended GPUs each.

It has ports, keys and sockets of its own, so it meets no other Slurm of the machine.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.engines.ground import as_root, engines_folder, run_script
from tests.engines.ports import free_ports
from tests.engines.slurm_settings import MEMORY_GROUP, NODES, Settings, limits_memory
from tests.engines.trixie import in_root, trixie_root
from tests.kit import LOOK_S

__all__ = ["NODES", "Cluster", "limits_memory", "started"]

COMMANDS = ("sbatch", "squeue", "scancel", "scontrol", "sinfo", "sacct", "sacctmgr")
UP_S = 30.0  # until daemons answer
COMMAND_S = 60.0  # for one command of Slurm
# The kernel kills such a process when the process of the tests dies, which else nobody would.
WITH_PARENT = ("setpriv", "--pdeathsig", "KILL")


class Cluster:
    """Daemons on this machine: started once, stopped and killed one by one by the tests.

    With a `root`, all of them are the Slurm that is installed in that folder.
    """

    def __init__(
        self,
        root: Path | None = None,
        forgets_after: int = 300,
        dead_after: int = 4,
        accounting: str = "",
    ) -> None:
        """Choose a folder and ports. `slurm_settings.Settings` says what the numbers mean."""
        # The folder has a short name, since sockets lie in it.
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-", dir=engines_folder()))
        self.bin = self.folder / "bin"
        self.conf = self.folder / "slurm.conf"
        self.env = {
            "SLURM_CONF": str(self.conf),
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}{os.pathsep}/usr/sbin",
        }
        self.running: dict[str, subprocess.Popen[bytes]] = {}  # by the name of the daemon
        # The last two are for the database of accounts and its daemon.
        self.ports = free_ports(3 + len(NODES))
        self._root = root
        self._settings = Settings(
            folder=self.folder,
            ports=self.ports,
            inside_root=root is not None,
            forgets_after=forgets_after,
            dead_after=dead_after,
            accounting=accounting,
        )

    # up and down ------------------------------------------------------------------

    def start(self) -> None:
        """Start everything and wait until jobs could run."""
        for name in ("state", "spool", "run", "log", "bin"):
            (self.folder / name).mkdir()
        self._settings.write()
        if self._root:
            self._wrap_commands()
        self._start_munge()
        self.start_accounting()
        self.start_controller()
        for node in NODES:
            self.start_node(node)
        self.idle()

    def _wrap_commands(self) -> None:
        """Make scripts that run Slurm's commands inside the root."""
        for command in COMMANDS:
            words = " ".join(self._inside(f"/usr/bin/{command}"))
            (self.bin / command).write_text(f'#!/bin/sh\nexec {words} "$@"\n')
            (self.bin / command).chmod(0o755)

    def _inside(self, *words: str) -> list[str]:
        """Return the command that runs `words` in the root, or `words` if there is none."""
        if self._root is None:
            return list(words)
        return in_root(self._root, [self.folder, Path(tempfile.gettempdir())], *words)

    def _start_munge(self) -> None:
        """Start the daemon by whose secret the others know each other."""
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        files = {
            "socket": "munge.socket",
            "key-file": "munge.key",
            "pid-file": "run/munged.pid",
            "log-file": "log/munged.log",
            "seed-file": "run/munged.seed",
        }
        words = [f"--{option}={self.folder / name}" for option, name in files.items()]
        self.start_daemon("munged", "--foreground", "--force", *words)
        self.until((self.folder / "munge.socket").exists, "munged answers")

    def start_accounting(self) -> None:
        """Do nothing: this cluster keeps no accounts."""

    def start_controller(self) -> None:
        """Start the controller and wait until it answers."""
        self.start_daemon("slurmctld", "-D", "-f", str(self.conf))
        self.until(self.answers, "slurmctld answers")

    def start_node(self, node: str, hides: Path | None = None) -> None:
        """Start a node; with `hides`, one that does not see that folder."""
        (self.folder / "spool" / node).mkdir(exist_ok=True)
        within: list[str] = []
        if hides is not None:
            script = f'mount -t tmpfs none {hides} && exec "$@"'
            within = ["unshare", "--mount", "sh", "-c", script, "sh"]
        words = ["-D", "-N", node, "-f", str(self.conf)]
        self.start_daemon("slurmd", *words, name=node, within=within)

    def start_daemon(
        self, command: str, *words: str, name: str = "", within: Sequence[str] = ()
    ) -> None:
        """Start a daemon in the foreground; `within` is put before its command.

        `running` has it as `name`, or else as the command is called.
        """
        name = name or command
        with open(self.folder / "log" / f"{name}.out", "ab") as out:
            self.running[name] = subprocess.Popen(
                [*WITH_PARENT, *within, *self._inside(f"/usr/sbin/{command}", *words)],
                env={**os.environ, **self.env},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def end_daemon(self, name: str, how: int = signal.SIGKILL) -> None:
        """End a daemon, by default without a warning. The jobs of a node go on."""
        process = self.running.pop(name, None)
        if process is not None:
            process.send_signal(how)
            process.wait(timeout=UP_S)

    def stop(self) -> None:
        """End all jobs and daemons and remove the files."""
        with contextlib.suppress(AssertionError):
            self.clear()
        # The controller and munge, which the others need, end last.
        for name in list(self.running)[::-1]:
            self.end_daemon(name)
        for pid in self.keepers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)
        # The nodes of another cluster may be using the groups.
        if not processes_of("slurmd"):
            remove_memory_groups()

    # what an operator does ----------------------------------------------------------

    def run(self, *words: str, check: bool = True) -> str:
        """Run a command of Slurm and return what it says, also what it says when it fails.

        With `check`, a command that fails is a failure of the test.
        """
        ran = subprocess.run(
            words,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            env={**os.environ, **self.env},
        )
        if ran.returncode == 0:
            return ran.stdout.strip()
        assert not check, (words, ran.stdout, ran.stderr)
        return ran.stderr.strip()

    def answers(self) -> bool:
        """Return whether the controller answers."""
        return "is UP" in self.run("scontrol", "ping", check=False)

    def idle(self) -> None:
        """Wait until every node could take a job."""

        def ready() -> bool:
            states = self.run("sinfo", "-h", "-N", "-p", "gpu", "-o", "%N %T").splitlines()
            return states == [f"{node} idle" for node in NODES] and all(map(takes, NODES.values()))

        # The controller knows the GPUs of a node some time after it knows the node.
        def takes(kind: str) -> bool:
            words = ["--test-only", f"--gres=gpu:{kind}:2", "--wrap", "true"]
            return not self.run("sbatch", *words, check=False)

        self.until(ready, "all nodes are idle")

    def clear(self) -> None:
        """End every job, those that would not end too, and wait until none is left."""
        if not self.answers():
            return
        self.run("scancel", "--quiet", "--user", "root", check=False)
        for pid in self.keepers():
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(child), signal.SIGKILL)
        self.until(lambda: not self.run("squeue", "-h"), "no job is left")

    def heal(self) -> None:
        """Bring back what a test left broken."""
        if "slurmctld" not in self.running:
            self.start_controller()
        for node in NODES:
            if node not in self.running:
                self.start_node(node)
        broken = self.run("sinfo", "-h", "-N", "-p", "gpu", "-t", "drain,down", "-o", "%N")
        for node in broken.split():
            self.run("scontrol", "update", f"NodeName={node}", "State=RESUME", check=False)
        self.idle()

    def update(self, *words: str) -> None:
        """Change what the controller knows, as `scontrol update` does."""
        self.run("scontrol", "update", *words)

    def jobs(self) -> dict[str, str]:
        """Return the state of every job and task that Slurm still knows, by its id."""
        lines = self.run("squeue", "-h", "-r", "-t", "all", "-o", "%i %T").splitlines()
        return dict(line.split(" ", 1) for line in lines)

    def keepers(self) -> list[int]:
        """Return the processes that look after jobs of this cluster. They outlive a killed slurmd.

        They are known by their folder, which is that of the cluster.
        """
        found = []
        for pid in processes_of("slurmstepd"):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/cwd").startswith(str(self.folder)):
                    found.append(pid)
        return found

    def until(self, condition: Callable[[], bool], what: str, within_s: float = UP_S) -> None:
        """Wait until the condition holds. Fails at once when a daemon has ended meanwhile."""
        deadline = time.monotonic() + within_s
        while not condition():
            dead = [name for name, process in self.running.items() if process.poll() is not None]
            assert not dead, f"daemons ended: { {name: self._said(name) for name in dead} }"
            assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
            time.sleep(LOOK_S)

    def _said(self, name: str) -> str:
        """Return the last that a daemon said."""
        return (self.folder / "log" / f"{name}.out").read_text()[-1000:]


def processes_of(program: str) -> list[int]:
    """Return the processes of a program, whatever they call themselves on their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "comm").read_text().strip() == program:
                found.append(int(entry.name))
    return found


def remove_memory_groups() -> None:
    """Remove the memory groups that nodes made in the kernel."""
    for group in MEMORY_GROUP.glob("slurm_node*"):
        words = ["find", str(group), "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]
        subprocess.run(words, capture_output=True)


@contextlib.contextmanager
def started(cluster: Cluster) -> Iterator[Cluster]:
    """Start a cluster, which is ready for jobs until the end of the block."""
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def slurm_cluster() -> Iterator[Cluster]:
    """Run the Slurm of this machine for the whole session."""
    as_root("Slurm")
    run_script("slurm.sh")
    with started(Cluster()) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def new_slurm_cluster() -> Iterator[Cluster]:
    """Run a Slurm some years newer for the whole session."""
    with started(Cluster(root=trixie_root())) as cluster:
        yield cluster


@pytest.fixture
def slurm(slurm_cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Make the commands of the cluster those of the test. No job is left on it afterwards."""
    # Scans ask Slurm more often than is good for one that others use.
    monkeypatch.setenv("GRIDGPU_POLL_S", "0.3")
    monkeypatch.setenv("SLURM_CONF", str(slurm_cluster.conf))
    monkeypatch.setenv(
        "PATH", f"{slurm_cluster.bin}{os.pathsep}{os.environ['PATH']}{os.pathsep}/usr/sbin"
    )
    yield slurm_cluster
    slurm_cluster.clear()
    slurm_cluster.heal()
