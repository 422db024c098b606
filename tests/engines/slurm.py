"""A Slurm cluster of two nodes with two pretended GPUs each, on this machine, with ports, keys and sockets of its own."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.engines.ground import as_root, engines_folder, run_script
from tests.engines.trixie import in_root, trixie_root

NODES = {"node1": "a100", "node2": "v100"}
COMMANDS = ("sbatch", "squeue", "scancel", "scontrol", "sinfo", "sacct", "sacctmgr")
MEMORY_GROUP = Path("/sys/fs/cgroup/memory")
UP_S = 30.0
PARTITIONS = """
PartitionName=gpu Nodes=ALL Default=YES MaxTime=7-0 PriorityTier=10 PreemptMode=OFF
PartitionName=short Nodes=ALL MaxTime=10 PriorityTier=10 PreemptMode=OFF
PartitionName=closed Nodes=ALL AllowAccounts=phys PriorityTier=10 PreemptMode=OFF
PartitionName=down Nodes=ALL State=DOWN
PartitionName=spare Nodes=ALL PriorityTier=1 PreemptMode=CANCEL
"""
CONF = """
ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
{listening}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/{tasks}
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
GresTypes=gpu
DefMemPerCPU=400
MaxArraySize=1001
FirstJobId={first}
ReturnToService=2
SlurmdTimeout={dead_after}
SlurmctldTimeout=10
MessageTimeout=5
KillWait=6
MinJobAge={forgets_after}
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
{accounting}
{nodes}
{partitions}
"""


class Cluster:
    """Daemons on this machine: started once, stopped and killed one by one by the tests.

    With a `root`, all of it is the Slurm that is installed in that folder.
    """

    def __init__(
        self,
        root: Path | None = None,
        forgets_after: int = 300,
        dead_after: int = 4,
        accounting: str = "",
    ) -> None:
        self.folder = Path(
            tempfile.mkdtemp(prefix="slurm-", dir=engines_folder())
        )  # a short name: it has sockets in it
        self.bin = self.folder / "bin"
        self.conf = self.folder / "slurm.conf"
        self.env = {
            "SLURM_CONF": str(self.conf),
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}{os.pathsep}/usr/sbin",
        }
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._root = root
        self.ports = free_ports(3 + len(NODES))
        self._settings = {
            "forgets_after": forgets_after,
            "dead_after": dead_after,
            "accounting": accounting,
        }

    # up and down ------------------------------------------------------------------

    def start(self) -> None:
        """Start everything and wait until jobs could run."""
        for name in ("state", "spool", "run", "log", "bin"):
            (self.folder / name).mkdir()
        self._configure()
        if self._root:
            self._wrap_commands()
        self._start_munge()
        self.start_accounting()
        self.start_controller()
        for node in NODES:
            self.start_node(node)
        self.idle()

    def _configure(self) -> None:
        host = socket.gethostname().split(".")[0]
        nodes = [
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=8 RealMemory=8000"
            f" Gres=gpu:{kind}:2 Feature={kind} State=UNKNOWN"
            for (node, kind), port in zip(NODES.items(), self.ports[1:3], strict=True)
        ]
        # Job ids of several clusters shall not be the same: the kernel's memory groups are named by them.
        first = random.randrange(1000, 60_000_000)
        # Only on this machine's own address; within a root its name is not known.
        listening = "" if self._root else "CommunicationParameters=NoInAddrAny,NoCtldInAddrAny"
        text = CONF.format(
            host=host, controller=self.ports[0], folder=self.folder, first=first, nodes="\n".join(nodes),
            partitions=PARTITIONS,
            listening=listening, tasks="cgroup" if limits_memory() else "none", **self._settings,
        )  # fmt: skip
        self.conf.write_text(text)
        # A line without devices would count no GPU; any two devices do.
        gres = [
            f"NodeName={node} Name=gpu Type={kind} File=/dev/null,/dev/zero"
            for node, kind in NODES.items()
        ]
        (self.folder / "gres.conf").write_text("\n".join(gres) + "\n")
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nConstrainRAMSpace=yes\n")

    def _wrap_commands(self) -> None:
        for command in COMMANDS:
            words = " ".join(self._inside(f"/usr/bin/{command}"))
            (self.bin / command).write_text(f'#!/bin/sh\nexec {words} "$@"\n')
            (self.bin / command).chmod(0o755)

    def _inside(self, *words: str) -> list[str]:
        shared = [self.folder, Path(tempfile.gettempdir())]
        return in_root(self._root, shared, *words) if self._root else list(words)

    def _start_munge(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        files = {
            "socket": "munge.socket",
            "key-file": "munge.key",
            "pid-file": "run/munged.pid",
            "log-file": "log/munged.log",
        }
        words = [f"--{option}={self.folder / name}" for option, name in files.items()]
        self.start_daemon(
            "munged",
            "--foreground",
            "--force",
            *words,
            f"--seed-file={self.folder / 'run/munged.seed'}",
        )
        self.until((self.folder / "munge.socket").exists, "munged answers")

    def start_accounting(self) -> None:
        """This cluster has none."""

    def start_controller(self) -> None:
        self.start_daemon("slurmctld", "-D", "-f", str(self.conf))
        self.until(self.answers, "slurmctld answers")

    def start_node(self, node: str, hides: Path | None = None) -> None:
        """Start a node; with `hides`, one that does not see that folder."""
        (self.folder / "spool" / node).mkdir(exist_ok=True)
        hiding = (
            ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs none {hides} && exec "$@"', "sh"]
            if hides
            else []
        )
        self.start_daemon(
            "slurmd", "-D", "-N", node, "-f", str(self.conf), name=node, within=hiding
        )

    def start_daemon(
        self, command: str, *words: str, name: str = "", within: Sequence[str] = ()
    ) -> None:
        with open(self.folder / "log" / f"{name or command}.out", "ab") as out:
            self.running[name or command] = subprocess.Popen(
                [*within, *self._inside(f"/usr/sbin/{command}", *words)], env={**os.environ, **self.env}, cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip

    def end_daemon(self, name: str, how: int = signal.SIGKILL) -> None:
        """End a daemon, by default without a warning. What jobs run goes on when a node's does."""
        process = self.running.pop(name, None)
        if process is not None:
            process.send_signal(how)
            process.wait(timeout=30)

    def stop(self) -> None:
        """End all jobs and daemons and remove the files."""
        with contextlib.suppress(AssertionError):
            self.clear()
        for name in list(self.running)[::-1]:
            self.end_daemon(name)
        for pid in self.keepers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)
        if not processes_of("slurmd"):  # of another cluster
            for group in MEMORY_GROUP.glob("slurm_node*"):
                subprocess.run(
                    ["find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"],
                    capture_output=True,
                )

    # what an operator does ----------------------------------------------------------

    def run(self, *words: str, check: bool = True) -> str:
        """Run a command of Slurm's and return what it says."""
        ran = subprocess.run(
            words, capture_output=True, text=True, timeout=60, env={**os.environ, **self.env}
        )
        assert not check or ran.returncode == 0, (words, ran.stdout, ran.stderr)
        return (ran.stdout if ran.returncode == 0 else ran.stderr).strip()

    def answers(self) -> bool:
        return "is UP" in self.run("scontrol", "ping", check=False)

    def idle(self) -> None:
        """Wait until every node could take a job."""

        def ready() -> bool:
            states = self.run("sinfo", "-h", "-N", "-p", "gpu", "-o", "%N %T").splitlines()
            return states == [f"{node} idle" for node in NODES] and all(map(takes, NODES.values()))

        def takes(
            kind: str,
        ) -> bool:  # a controller knows a node's GPUs some time after it knows the node
            return not self.run(
                "sbatch", "--test-only", f"--gres=gpu:{kind}:2", "--wrap", "true", check=False
            )

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
        for node in self.run(
            "sinfo", "-h", "-N", "-p", "gpu", "-t", "drain,down", "-o", "%N"
        ).split():
            self.run("scontrol", "update", f"NodeName={node}", "State=RESUME", check=False)
        self.idle()

    def update(self, *words: str) -> None:
        self.run("scontrol", "update", *words)

    def jobs(self) -> dict[str, str]:
        """The state of every job and task that Slurm still knows."""
        lines = self.run("squeue", "-h", "-r", "-t", "all", "-o", "%i %T").splitlines()
        return dict(line.split(" ", 1) for line in lines)

    def keepers(self) -> list[int]:
        """The processes that look after jobs of this cluster; they outlive a killed slurmd, and work in its folder."""
        found = []
        for pid in processes_of("slurmstepd"):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/cwd").startswith(str(self.folder)):
                    found.append(pid)
        return found

    def until(self, condition: Callable[[], bool], what: str, within_s: float = UP_S) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            dead = [name for name, process in self.running.items() if process.poll() is not None]
            logs = {
                name: (self.folder / "log" / f"{name}.out").read_text()[-1000:] for name in dead
            }
            assert not dead, f"daemons ended: {logs}"
            assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
            time.sleep(0.05)


def processes_of(program: str) -> list[int]:
    """The processes of a program, whatever they call themselves on their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "comm").read_text().strip() == program:
                found.append(int(entry.name))
    return found


def limits_memory() -> bool:
    """Whether the kernel would end what uses more memory than it may: not in every container."""
    return os.access(MEMORY_GROUP / "cgroup.procs", os.W_OK)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def started(cluster: Cluster) -> Iterator[Cluster]:
    """A cluster that is ready for jobs, until the end of the block."""
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def slurm_cluster() -> Iterator[Cluster]:
    """The Slurm of this machine, for the whole session."""
    as_root("Slurm")
    run_script("slurm.sh")
    with started(Cluster()) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def new_slurm_cluster() -> Iterator[Cluster]:
    """A Slurm some years newer."""
    with started(Cluster(root=trixie_root())) as cluster:
        yield cluster


@pytest.fixture
def slurm(slurm_cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """The cluster as the one whose commands are used; no job is left on it afterwards."""
    monkeypatch.setenv("SLURM_CONF", str(slurm_cluster.conf))
    monkeypatch.setenv(
        "PATH", f"{slurm_cluster.bin}{os.pathsep}{os.environ['PATH']}{os.pathsep}/usr/sbin"
    )
    yield slurm_cluster
    slurm_cluster.clear()
    slurm_cluster.heal()
