"""The same Slurm cluster with accounting: a database, slurmdbd, sacct."""

from __future__ import annotations

import getpass
import socket
import subprocess
from pathlib import Path

from tests.engines.slurm import Cluster
from tests.engines.slurm_settings import host_name

SYSTEM_TABLES = Path("/usr/share/mysql/mysql_system_tables.sql")
TABLES_S = 100  # for making the tables of a new database
SETTINGS = """
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={port}
AccountingStoragePass={folder}/munge.socket
AccountingStorageEnforce=limits
"""
DATABASE = """
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={port}
SlurmUser=root
LogFile={folder}/log/slurmdbd.log
PidFile={folder}/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database}
StorageUser=root
StorageLoc=accounts
"""


class AccountedCluster(Cluster):
    """A cluster that forgets ended jobs after seconds, so that only its accounting knows them."""

    def __init__(self) -> None:
        """Choose a folder and ports."""
        super().__init__(forgets_after=2)
        self._dbd_port, self._database_port = self.ports[3:5]
        self._settings.accounting = SETTINGS.format(port=self._dbd_port, folder=self.folder)

    def second(self, name: str) -> Cluster:
        """Return another cluster, not started yet, that has the same accounting."""
        found = SecondCluster(self, name)
        self.manage(f"add cluster {name}")
        return found

    def start_accounting(self) -> None:
        """Start the database and its daemon, and make the user's account."""
        self._start_database()
        conf = self.folder / "slurmdbd.conf"
        # slurmdbd refuses a file that others may read.
        conf.touch(mode=0o600)
        conf.write_text(
            DATABASE.format(
                folder=self.folder,
                host=host_name(),
                port=self._dbd_port,
                database=self._database_port,
            )
        )
        self.start_daemon("slurmdbd", "-D")
        self.until(lambda: listening(self._dbd_port), "slurmdbd answers")
        user, account = getpass.getuser(), "physics"
        self.manage("add cluster lab")
        self.manage(f"add account {account}")
        self.manage(f"add user {user} account={account} defaultaccount={account}")

    def _start_database(self) -> None:
        data = self.folder / "database"
        data.mkdir()
        make_tables(data)
        self.start_daemon(
            "mariadbd",
            "--no-defaults",
            "--user=root",
            f"--datadir={data}",
            f"--socket={self.folder}/database.socket",
            "--bind-address=127.0.0.1",
            f"--port={self._database_port}",
            "--skip-grant-tables",
            "--innodb-buffer-pool-size=64M",
        )
        self.until(lambda: listening(self._database_port), "the database answers")

    def manage(self, command: str) -> None:
        """Change the accounts, as `sacctmgr` does."""
        self.run("sacctmgr", "--immediate", *command.split())

    def allow(self, jobs: int) -> None:
        """Let the user have so many jobs in the queue; -1: any number."""
        self.manage(f"modify user {getpass.getuser()} set MaxSubmitJobs={jobs}")


class SecondCluster(Cluster):
    """Another cluster whose accounting, and whose secret, are those of a first one."""

    def __init__(self, first: AccountedCluster, name: str) -> None:
        """Choose a folder and ports."""
        super().__init__()
        self._settings.name = name
        self._settings.accounting = first._settings.accounting
        self._first = first

    def _start_munge(self) -> None:
        """Use the daemon of the first cluster."""
        (self.folder / "munge.socket").symlink_to(self._first.folder / "munge.socket")


def make_tables(data: Path) -> None:
    """Make the database's own tables, since slurmdbd keeps functions in one of them.

    It works out limits by these functions.
    """
    text = f"create database mysql;\nuse mysql;\n{SYSTEM_TABLES.read_text()}"
    words = [
        "mariadbd",
        "--no-defaults",
        "--bootstrap",
        "--user=root",
        f"--datadir={data}",
        "--innodb-buffer-pool-size=64M",
    ]
    ran = subprocess.run(words, input=text, capture_output=True, text=True, timeout=TABLES_S)
    assert ran.returncode == 0, ran.stderr


def listening(port: int) -> bool:
    """Return whether somebody listens on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
