"""An HTCondor pool of real daemons on this machine: one schedd and two nodes, which can be stopped, killed and started again."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.engines.ground import SCRIPTS, absent, engines_folder
from tests.engines.trixie import trixie_root

START_S = 60.0
CLIENT = """\
CONDOR_HOST = 127.0.0.1
COLLECTOR_HOST = 127.0.0.1:{port}
SCHEDD_HOST = gridgpu@
ENABLE_IPV6 = False
UID_DOMAIN = gridgpu.test
FILESYSTEM_DOMAIN = gridgpu.test
SEC_DEFAULT_AUTHENTICATION_METHODS = FS
# HTCondor 23.9 on the other side does not know this yet
SEC_FS_ENFORCE_CHANNEL_BINDING = False
"""


class Pool:
    """The daemons, and the file that makes a process their user's: name it in CONDOR_CONFIG."""

    def __init__(self, shared: Path) -> None:
        """Folders that jobs are to see are in `shared`, in /tmp, or with the test engines."""
        self.folder = Path(
            tempfile.mkdtemp(prefix="gridgpu-condor-", dir="/tmp")
        )  # a short name: it holds sockets
        self.config = self.folder / "client_config"
        self._root = trixie_root()
        self._shared = shared
        self._port = _free_port()
        self._running: subprocess.Popen[bytes] | None = None
        self.config.write_text(CLIENT.format(port=self._port))

    def start(self) -> None:
        """Start all daemons and wait until both nodes and the schedd answer."""
        for name in ("log", "run", "lock", "spool", "execute", "sock", "node1", "node2"):
            (self.folder / name).mkdir(exist_ok=True)
        shared = f"{self._shared}:{engines_folder()}"  # tests' folders, and images
        env = {
            "_CONDOR_FOLDER": str(self.folder),
            "_CONDOR_PORT": str(self._port),
            "_CONDOR_SCRIPTS": str(SCRIPTS),
        }
        self._running = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", SCRIPTS / "condor-pool.sh", self._root, shared, SCRIPTS / "condor_config"],
            env={**env, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, start_new_session=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
        )  # fmt: skip
        self._wait(lambda: self.nodes() == 2 and self.answers(), "the pool answers")

    def stop(self) -> None:
        """End every daemon and job."""
        if self._running is not None:
            self._running.kill()  # its whole process namespace goes with it
            self._running.wait()
            self._wait(lambda: not self._all(), "the daemons are gone")
        shutil.rmtree(self.folder, ignore_errors=True)

    # asking ---------------------------------------------------------------------------

    def schedd(self) -> Any:
        import htcondor2

        return htcondor2.Schedd()

    def nodes(self) -> int:
        """How many nodes the collector knows."""
        import htcondor2

        with contextlib.suppress(htcondor2.HTCondorException):
            return len(
                htcondor2.Collector().query(htcondor2.AdType.Startd, "PartitionableSlot", ["Name"])
            )
        return 0

    def answers(self) -> bool:
        """Whether the schedd does."""
        import htcondor2

        with contextlib.suppress(htcondor2.HTCondorException):
            self.schedd().query(projection=["ProcId"])
            return True
        return False

    def jobs(self, *wanted: str) -> list[Any]:
        """The ads of all jobs in the queue."""
        return list(self.schedd().query(projection=list(wanted)))

    def clear(self) -> None:
        """Remove every job without a grace; a schedd that was killed is back then."""
        import htcondor2

        self.schedd_back()
        self.schedd().act(htcondor2.JobAction.RemoveX, "true")
        self.schedd().act(htcondor2.JobAction.Remove, "true")
        self.schedd().act(htcondor2.JobAction.RemoveX, "true")

    # harming ---------------------------------------------------------------------------

    def kill_schedd(self) -> None:
        """Kill the schedd with no chance to say goodbye; it stays away until `schedd_back`."""
        self._signal("condor_master", signal.SIGSTOP)
        self._signal("condor_schedd", signal.SIGKILL)
        self._wait(lambda: not self.answers(), "the schedd is gone")

    def schedd_back(self) -> None:
        self._signal("condor_master", signal.SIGCONT)
        self._wait(self.answers, "the schedd is back")

    def kill_node(self, node: str) -> None:
        """Kill the startd of a node and its starters; the processes of jobs go on. The master starts the startd again."""
        startds = [p for p in self._all("condor_startd") if node in p.cmdline()]
        for process in [child for startd in startds for child in startd.children()] + startds:
            if process.name() in ("condor_startd", "condor_starter"):
                process.kill()

    def _signal(self, name: str, number: int) -> None:
        for process in self._all(name):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def _all(self, name: str = "") -> list[psutil.Process]:
        """The living processes of this pool, or those of one name."""
        return [
            process for process in psutil.process_iter() if _is_of(process, name, str(self.folder))
        ]

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + START_S
        while not condition():
            if time.monotonic() > deadline or (
                self._running is not None and self._running.poll() not in (None, -9)
            ):
                absent(f"HTCondor: not within {START_S:g} s: {what}. {self._words()}")
            time.sleep(0.1)

    def _words(self) -> str:
        logs = [self.folder / "log" / name for name in ("MasterLog", "SchedLog")]
        return "\n".join(log.read_text(errors="replace")[-1000:] for log in logs if log.exists())


def _is_of(process: psutil.Process, name: str, folder: str) -> bool:
    try:
        return (not name or process.name() == name) and bool(
            process.environ().get("_CONDOR_FOLDER") == folder
        )
    except (psutil.Error, OSError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def condor_daemons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    pool = Pool(tmp_path_factory.getbasetemp())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONDOR_CONFIG", str(pool.config))
        try:
            import htcondor2

            htcondor2.reload_config()
            pool.start()
            yield pool
        finally:
            pool.stop()


@pytest.fixture
def condor_pool(condor_daemons: Pool, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    """The pool of the test session, with no job in it; the test's environment is that of its user."""
    monkeypatch.setenv("CONDOR_CONFIG", str(condor_daemons.config))
    monkeypatch.setenv("GRIDGPU_POLL_S", "1")
    yield condor_daemons
    condor_daemons.clear()
