"""The options of sbatch: how each is written, and which of them a scan leaves to its user.

The table holds those of the versions from 22.05 to 25.05. An option that it lacks goes to sbatch as
it is.
"""

from __future__ import annotations


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The letters of short options, with the long option that each stands for.
SHORT = {
    "a": "array",
    "A": "account",
    "b": "begin",
    "B": "extra-node-info",
    "c": "cpus-per-task",
    "C": "constraint",
    "d": "dependency",
    "D": "chdir",
    "e": "error",
    "F": "nodefile",
    "G": "gpus",
    "h": "help",
    "H": "hold",
    "i": "input",
    "J": "job-name",
    "k": "no-kill",
    "L": "licenses",
    "m": "distribution",
    "M": "clusters",
    "n": "ntasks",
    "N": "nodes",
    "o": "output",
    "O": "overcommit",
    "p": "partition",
    "q": "qos",
    "Q": "quiet",
    "s": "oversubscribe",
    "S": "core-spec",
    "t": "time",
    "u": "usage",
    "v": "verbose",
    "V": "version",
    "w": "nodelist",
    "W": "wait",
    "x": "exclude",
}
# Options without a value, and those whose value must follow an equals sign if there is one.
WITHOUT_VALUE = _names(
    """
    contiguous help hold ignore-pbs no-requeue overcommit oversubscribe parsable quiet reboot
    requeue share spread-job stepmgr test-only usage use-min-nodes verbose version wait
    """
)
MAY_HAVE_VALUE = _names(
    """
    bcast exclusive get-user-env nice no-kill oom-kill-step propagate resv-ports send-libs x11
    wrap
    """
)
WITH_VALUE = _names(
    """
    account acctg-freq array batch bb bbf begin chdir cluster cluster-constraint clusters
    comment constraint consolidate-segments container container-id core-spec cores-per-socket
    cpu-freq cpus-per-gpu cpus-per-task deadline delay-boot dependency distribution epilog
    error exclude export export-file extra extra-node-info gid gpu-bind gpu-freq gpus
    gpus-per-node gpus-per-socket gpus-per-task gres gres-flags hint input job-name
    kill-on-invalid-dep licenses mail-type mail-user mcs-label mem mem-bind mem-per-cpu
    mem-per-gpu mincpus network nodefile nodelist nodes ntasks ntasks-per-core ntasks-per-gpu
    ntasks-per-node ntasks-per-socket open-mode output partition power prefer priority profile
    prolog qos reservation segment signal sockets-per-node switches task-epilog task-prolog
    tasks-per-node thread-spec threads-per-core time time-min tmp tres-bind tres-per-task uid
    umask wckey workdir
    """
)
KNOWN = WITHOUT_VALUE | MAY_HAVE_VALUE | WITH_VALUE
# Options that say the same as another one.
ALIASES = {
    "cluster": "clusters",
    "share": "oversubscribe",
    "tasks-per-node": "ntasks-per-node",
    "workdir": "chdir",
}

_OUTPUT = "what a job prints is kept in the scan's folder"
_ENVIRONMENT = "say --env for what jobs find in their environment"
_FILES = "say --files for what jobs need; what they leave comes back by itself"
_RUNS = "the scan says what its jobs run"
_SIZE = "each job of a scan is one task on one node"
_NO_ANSWER = "our calls of sbatch need its usual answer"
_MAIL = "Slurm sends no mail about the jobs of a scan"
# Options that a scan sets itself or that are not for it, and what to do instead.
REFUSED = {
    "account": "say --account",
    "array": "say --parallel for how many jobs run at once",
    "bb": _FILES,
    "bbf": _FILES,
    "bcast": _FILES,
    "chdir": "jobs begin in the scan's folder",
    "comment": "by its comment a scan finds its jobs",
    "constraint": "say --constraint",
    "container": "say --image",
    "container-id": "say --image",
    "cpus-per-task": "say --cpus",
    "epilog": _RUNS,
    "error": _OUTPUT,
    "export": _ENVIRONMENT,
    "export-file": _ENVIRONMENT,
    "get-user-env": _ENVIRONMENT,
    "gid": "jobs run as you",
    "help": _NO_ANSWER,
    "input": "jobs read nothing from standard input",
    "job-name": "say --name",
    "mail-type": _MAIL,
    "mail-user": _MAIL,
    "no-requeue": "a job whose node is lost must be able to start again",
    "nodes": _SIZE,
    "ntasks": _SIZE,
    "ntasks-per-node": _SIZE,
    "open-mode": _OUTPUT,
    "output": _OUTPUT,
    "parsable": _NO_ANSWER,
    "partition": "say --queue",
    "prolog": _RUNS,
    "qos": "say --qos",
    "quiet": _NO_ANSWER,
    "requeue": "a scan asks for it already",
    "send-libs": _FILES,
    "signal": "say --grace for how early a job is told to save",
    "task-epilog": _RUNS,
    "task-prolog": _RUNS,
    "test-only": "say --dry-run",
    "time": "say --walltime",
    "time-min": "say --walltime",
    "tmp": "say --disk",
    "uid": "jobs run as you",
    "usage": _NO_ANSWER,
    "verbose": _NO_ANSWER,
    "version": _NO_ANSWER,
    "wait": "a scan waits for its jobs by itself",
    "wrap": _RUNS,
    "x11": "jobs have no display",
}
# Options that say how many GPUs, or how much memory, a job gets. With one of them, the words for it
# that a scan would give are left out.
GPUS = _names("gpus gpus-per-node gpus-per-socket gpus-per-task")
MEMORY = _names("mem mem-per-cpu mem-per-gpu")
