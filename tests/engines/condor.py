"""An HTCondor pool of real daemons on this machine: one schedd and two nodes.

Its daemons can be stopped, killed and started again.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.engines.ground import SCRIPTS, absent, engines_folder
from tests.engines.ports import free_port
from tests.engines.trixie import trixie_root
from tests.kit import LOOK_S

START_S = 60.0  # until the daemons answer
NODES = 2
FOLDERS = ("log", "run", "lock", "spool", "execute", "sock", "node1", "node2")
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
    """The daemons of a pool.

    `config` is a file that makes a process their user: its path belongs into CONDOR_CONFIG.
    """

    def __init__(self, shared: Path) -> None:
        """Choose a folder and a port. Jobs see `shared`, /tmp and the folder of images."""
        # The folder has a short name, since sockets lie in it.
        self.folder = Path(tempfile.mkdtemp(prefix="gridgpu-condor-", dir="/tmp"))
        self.config = self.folder / "client_config"
        self._root = trixie_root()
        self._shared = shared
        self._port = free_port()
        self._running: subprocess.Popen[bytes] | None = None
        self.config.write_text(CLIENT.format(port=self._port))

    def start(self) -> None:
        """Start all daemons and wait until both nodes and the schedd answer."""
        for name in FOLDERS:
            (self.folder / name).mkdir(exist_ok=True)
        env = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "_CONDOR_FOLDER": str(self.folder),
            "_CONDOR_PORT": str(self._port),
            "_CONDOR_SCRIPTS": str(SCRIPTS),
        }
        shared = f"{self._shared}:{engines_folder()}"  # the folders of tests, and images
        script = (SCRIPTS / "condor-pool.sh", self._root, shared, SCRIPTS / "condor_config")
        # The kernel kills the pool when the process of the tests dies.
        self._running = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *map(str, script)],
            env=env,
            cwd="/",
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait(lambda: self.nodes() == NODES and self.answers(), "the pool answers")

    def stop(self) -> None:
        """End every daemon and job, and remove the files."""
        if self._running is not None:
            # All daemons and jobs are in its process namespace, which ends with it.
            self._running.kill()
            self._running.wait()
            self._wait(lambda: not self._processes(), "the daemons are gone")
        shutil.rmtree(self.folder, ignore_errors=True)

    # asking ---------------------------------------------------------------------------
    # htcondor2 is imported late: it reads the configuration that the environment names.

    def schedd(self) -> Any:
        """Return the schedd as HTCondor's Python has it."""
        import htcondor2

        return htcondor2.Schedd()

    def nodes(self) -> int:
        """Return how many nodes HTCondor's collector knows."""
        import htcondor2

        with contextlib.suppress(htcondor2.HTCondorException):
            collector = htcondor2.Collector()
            return len(collector.query(htcondor2.AdType.Startd, "PartitionableSlot", ["Name"]))
        return 0

    def answers(self) -> bool:
        """Return whether the schedd answers."""
        import htcondor2

        with contextlib.suppress(htcondor2.HTCondorException):
            self.schedd().query(projection=["ProcId"])
            return True
        return False

    def jobs(self, *wanted: str) -> list[Any]:
        """Return the ads of all jobs in the queue, with the attributes `wanted`."""
        return list(self.schedd().query(projection=list(wanted)))

    def clear(self) -> None:
        """Remove every job without a grace. A schedd that was killed is back then."""
        import htcondor2

        self.schedd_back()
        # RemoveX forgets only jobs that are being removed already, before this and by Remove.
        self.schedd().act(htcondor2.JobAction.RemoveX, "true")
        self.schedd().act(htcondor2.JobAction.Remove, "true")
        self.schedd().act(htcondor2.JobAction.RemoveX, "true")

    # harming ---------------------------------------------------------------------------

    def kill_schedd(self) -> None:
        """Kill the schedd without a warning. It stays away until `schedd_back`."""
        # The master would start it again at once.
        self._signal("condor_master", signal.SIGSTOP)
        self._signal("condor_schedd", signal.SIGKILL)
        self._wait(lambda: not self.answers(), "the schedd is gone")

    def schedd_back(self) -> None:
        """Let the master start the schedd again, and wait until the schedd answers."""
        self._signal("condor_master", signal.SIGCONT)
        self._wait(self.answers, "the schedd is back")

    def kill_node(self, node: str) -> None:
        """Kill the startd of a node and its starters. The processes of jobs go on.

        The master starts the startd again.
        """
        startds = [one for one in self._processes("condor_startd") if node in one.cmdline()]
        # The children are asked for before any is killed, as they lose their parent then.
        children = [child for startd in startds for child in startd.children()]
        for process in children + startds:
            if process.name() in ("condor_startd", "condor_starter"):
                process.kill()

    def _signal(self, name: str, number: int) -> None:
        """Send a signal to all processes of the pool that have this name."""
        for process in self._processes(name):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def _processes(self, name: str = "") -> list[psutil.Process]:
        """Return the living processes of this pool, or those of one name."""
        folder = str(self.folder)
        return [process for process in psutil.process_iter() if _is_of(process, name, folder)]

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until the condition holds. Skips the test if it does not, or if the pool ended."""
        deadline = time.monotonic() + START_S
        while not condition():
            if time.monotonic() > deadline or self._broke():
                absent(f"HTCondor: not within {START_S:g} s: {what}. {self._last_words()}")
            time.sleep(LOOK_S)

    def _broke(self) -> bool:
        """Return whether the pool ended by itself; `stop` ends it by a signal."""
        if self._running is None:
            return False
        return self._running.poll() not in (None, -signal.SIGKILL)

    def _last_words(self) -> str:
        """Return the ends of the logs of master and schedd."""
        logs = [self.folder / "log" / name for name in ("MasterLog", "SchedLog")]
        return "\n".join(log.read_text(errors="replace")[-1000:] for log in logs if log.exists())


def _is_of(process: psutil.Process, name: str, folder: str) -> bool:
    """Return whether a process has this name, "" for any, and belongs to the pool of `folder`."""
    try:
        if name and process.name() != name:
            return False
        return bool(process.environ().get("_CONDOR_FOLDER") == folder)
    except (psutil.Error, OSError):
        return False


@pytest.fixture(scope="session")
def condor_daemons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """Run a pool for the whole session."""
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
    """Make the test a user of the pool of the session, which has no job in it."""
    monkeypatch.setenv("CONDOR_CONFIG", str(condor_daemons.config))
    monkeypatch.setenv("GRIDGPU_POLL_S", "1")
    yield condor_daemons
    condor_daemons.clear()
