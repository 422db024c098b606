"""The settings of the Slurm cluster of the tests: slurm.conf, gres.conf and cgroup.conf."""

from __future__ import annotations

import os
import random
import socket
from dataclasses import dataclass, field
from pathlib import Path

NODES = {"node1": "a100", "node2": "v100"}  # with the kind of their two GPUs
MEMORY_GROUP = Path("/sys/fs/cgroup/memory")
# Of this machine's addresses only its own; inside a root folder the name of the machine is unknown.
LISTEN_HERE = "CommunicationParameters=NoInAddrAny,NoCtldInAddrAny"
PARTITIONS = """
PartitionName=gpu Nodes=ALL Default=YES MaxTime=7-0 PriorityTier=10 PreemptMode=OFF
PartitionName=short Nodes=ALL MaxTime=10 PriorityTier=10 PreemptMode=OFF
PartitionName=closed Nodes=ALL AllowAccounts=phys PriorityTier=10 PreemptMode=OFF
PartitionName=down Nodes=ALL State=DOWN
PartitionName=spare Nodes=ALL PriorityTier=1 PreemptMode=CANCEL
"""
CONF = """
ClusterName={name}
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


def host_name() -> str:
    """Return the name of this machine without its domain, as Slurm wants it."""
    return socket.gethostname().split(".")[0]


@dataclass
class Settings:
    """What differs from cluster to cluster. `ports`: of the controller, then of each node."""

    folder: Path
    ports: list[int]
    inside_root: bool = False  # whether Slurm is that of a root folder
    forgets_after: int = 300  # seconds until the controller forgets a job that ended
    dead_after: int = 4  # seconds without an answer until a node is down
    accounting: str = ""  # lines about the accounting
    name: str = "lab"
    host: str = field(default_factory=host_name)

    def write(self) -> None:
        """Write the configuration files into the folder."""
        (self.folder / "slurm.conf").write_text(self._conf())
        # A line without devices would count no GPU; any two devices do.
        gpus = [
            f"NodeName={node} Name=gpu Type={kind} File=/dev/null,/dev/zero"
            for node, kind in NODES.items()
        ]
        (self.folder / "gres.conf").write_text("\n".join(gpus) + "\n")
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nConstrainRAMSpace=yes\n")

    def _conf(self) -> str:
        nodes = [
            f"NodeName={node} NodeHostname={self.host} NodeAddr=127.0.0.1 Port={port} CPUs=8"
            f" RealMemory=8000 Gres=gpu:{kind}:2 Feature={kind} State=UNKNOWN"
            for (node, kind), port in zip(NODES.items(), self.ports[1:3], strict=True)
        ]
        return CONF.format(
            name=self.name,
            host=self.host,
            controller=self.ports[0],
            listening="" if self.inside_root else LISTEN_HERE,
            folder=self.folder,
            tasks="cgroup" if limits_memory() else "none",
            # Several clusters must not have the same ids, which name the kernel's memory groups.
            first=random.randrange(1000, 60_000_000),
            dead_after=self.dead_after,
            forgets_after=self.forgets_after,
            accounting=self.accounting,
            nodes="\n".join(nodes),
            partitions=PARTITIONS,
        )


def limits_memory() -> bool:
    """Return whether the kernel ends what takes more memory than it may: not in every container."""
    return os.access(MEMORY_GROUP / "cgroup.procs", os.W_OK)
