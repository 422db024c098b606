"""The same cluster with accounting: a database, slurmdbd, sacct."""

from __future__ import annotations

import getpass
import socket
import subprocess
from pathlib import Path

from tests.engines.slurm import Cluster

SYSTEM_TABLES = Path("/usr/share/mysql/mysql_system_tables.sql")
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
    """It forgets ended jobs after seconds: then only its accounting knows them."""

    def __init__(self) -> None:
        super().__init__(forgets_after=2)
        self._settings["accounting"] = SETTINGS.format(port=self.ports[3], folder=self.folder)

    def start_accounting(self) -> None:
        data = self.folder / "database"
        data.mkdir()
        make_tables(data)
        self.start_daemon(
            "mariadbd", "--no-defaults", "--user=root", f"--datadir={data}", f"--socket={self.folder}/database.socket",
            "--bind-address=127.0.0.1", f"--port={self.ports[4]}", "--skip-grant-tables", "--innodb-buffer-pool-size=64M",
        )  # fmt: skip
        self.until(lambda: listening(self.ports[4]), "the database answers")
        conf = self.folder / "slurmdbd.conf"
        host = socket.gethostname().split(".")[0]
        conf.touch(mode=0o600)
        conf.write_text(
            DATABASE.format(
                folder=self.folder, host=host, port=self.ports[3], database=self.ports[4]
            )
        )
        self.start_daemon("slurmdbd", "-D")
        self.until(lambda: listening(self.ports[3]), "slurmdbd answers")
        user, account = getpass.getuser(), "physics"
        for what in (
            "cluster lab",
            f"account {account}",
            f"user {user} account={account} defaultaccount={account}",
        ):
            self.manage(f"add {what}")

    def manage(self, command: str) -> None:
        self.run("sacctmgr", "--immediate", *command.split())

    def allow(self, jobs: int) -> None:
        """Let the user have so many jobs in the queue; -1: any number."""
        self.manage(f"modify user {getpass.getuser()} set MaxSubmitJobs={jobs}")


def make_tables(data: Path) -> None:
    """Make the database's own tables: slurmdbd works limits out by functions that it keeps in one."""
    text = f"create database mysql;\nuse mysql;\n{SYSTEM_TABLES.read_text()}"
    words = [
        "mariadbd",
        "--no-defaults",
        "--bootstrap",
        "--user=root",
        f"--datadir={data}",
        "--innodb-buffer-pool-size=64M",
    ]
    ran = subprocess.run(words, input=text, capture_output=True, text=True, timeout=100)
    assert ran.returncode == 0, ran.stderr


def listening(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0
