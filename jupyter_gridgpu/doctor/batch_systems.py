"""Checks backends, batch systems and queues: what is installed, and whether it answers."""

from __future__ import annotations

import os
import re
import shutil
from importlib.metadata import entry_points
from pathlib import Path

from jupyter_gridgpu import backends
from jupyter_gridgpu.doctor.finding import Finding, counted, note, ok, problem
from jupyter_gridgpu.doctor.program import first_line, run_program
from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.queues import declarations, discovery
from jupyter_gridgpu.queues import htcondor as htcondor_queues
from jupyter_gridgpu.queues import slurm as slurm_queues

TIMEOUT_S = 6.0  # seconds for one question to a batch system
# Seconds between two questions of a runner to its batch system: the usual pace, and the limit below
# which the questions burden a cluster that others use too.
USUAL_S, TOO_OFTEN_S = 15.0, 5.0


def installed() -> list[Finding]:
    """Look at the backends that `--on` may name.

    A backend whose code cannot be loaded is a problem.
    """
    names, found = [], []
    for point in entry_points(group=backends.GROUP):
        # Anybody may write a backend as a plug-in, so loading it may fail in any way.
        try:
            point.load()
            names.append(point.name)
        except Exception as error:
            text = f"--on {point.name} cannot be loaded: {type(error).__name__}: {error}."
            found.append(problem(text, "Reinstall its package."))
    return [ok(f"--on takes {', '.join(sorted(names))} or auto."), *found]


def slurm() -> list[Finding]:
    """Look at Slurm's commands, its controller, its accounting, and the largest array.

    A controller that does not answer is a problem. A machine without Slurm is a note.
    """
    if shutil.which("sbatch") is None:
        return [note("Slurm's commands are not here: --on slurm needs a machine that has sbatch.")]
    found = [ok(first_line(run_program("sbatch", "--version").out) or "sbatch is here")]
    # Without a configuration the commands would wait for a controller on this machine.
    if not slurm_queues.configured():
        text = "Slurm's commands find no slurm.conf here."
        return [*found, note(text, "Set SLURM_CONF, or use a login node of the cluster.")]
    output = run_program("scontrol", "ping", timeout_s=TIMEOUT_S)
    if output.code != 0 or "UP" not in output.out:
        text = f"slurmctld does not answer: {output.complaint}."
        advice = (
            "Jobs that are sent go on. Look at `scontrol ping`, or ask whoever runs the cluster."
        )
        return [*found, problem(text, advice)]
    return [*found, ok("slurmctld answers."), _accounting(), *_largest_array()]


def _accounting() -> Finding:
    command = "sacct", "--noheader", "--allocations", "--starttime", "now"
    output = run_program(*command, timeout_s=TIMEOUT_S)
    if output.code == 0:
        return ok("Accounting answers.")
    # Many clusters have no accounting, and a scan works without.
    return note(
        f"Accounting does not answer: {output.complaint}.",
        "Jobs are followed by squeue; those that slurmctld forgot while nobody looked"
        " are counted by their results.",
    )


def _largest_array() -> list[Finding]:
    config = run_program("scontrol", "show", "config", timeout_s=TIMEOUT_S).out
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", config, re.MULTILINE)
    if found is None or int(found[1]) == 0:
        return []
    # Indices begin at 0, and MaxArraySize is one more than the largest.
    return [ok(f"Arrays of up to {int(found[1]) - 1:,} tasks.")]


def htcondor() -> list[Finding]:
    """Look at HTCondor's bindings, HTCondor's collector, and a schedd that takes jobs.

    One of them that does not answer is a problem. A machine without a pool is a note.
    """
    if not htcondor_queues.configured():
        text = (
            "No HTCondor pool is set up here:"
            " --on htcondor needs a condor_config (or CONDOR_CONFIG)."
        )
        return [note(text)]
    try:
        answer = htcondor_queues.ask_pool("versions", TIMEOUT_S)
    except BackendError as error:
        advice = "Look at CONDOR_CONFIG and at `condor_status`, or ask whoever runs the pool."
        return [problem(str(error), advice)]
    schedd_versions = counted(len(answer["schedds"]), "version", "versions")
    found = [
        ok(f"bindings {_version_number(answer['bindings'])}"),
        ok(f"HTCondor's collector answers; {schedd_versions} of schedd"),
    ]
    if answer["no_schedd"]:
        text = f"No schedd takes jobs from here: {answer['no_schedd']}."
        return [*found, problem(text, "Use a submit node of the pool.")]
    return [*found, ok("schedd answers.")]


def _version_number(text: str) -> str:
    """Return the version, like `23.0.1`, in the long text that HTCondor's bindings print."""
    found = re.search(r"\d+\.\d+\.\d+", text or "")
    return found[0] if found else "of an unknown version"


def queues() -> list[Finding]:
    """Look at the queues that are known and at the files that declare some.

    A mistake in such a file is a problem. Batch systems that do not answer are notes here, since
    they have checks of their own.
    """
    known, files = discovery.find_queues(), declarations.files()
    names = [queue.name for queue in known.queues if queue.gpus]
    found = [_queues_with_gpus(names), _declared(files)]
    for sentence in known.problems:
        # A mistake in a file begins with the file's path.
        if any(sentence.startswith(str(path)) for path in files):
            advice = "Correct the file; the other queues are not affected."
            found.append(problem(sentence, advice))
        else:
            found.append(note(sentence))
    return found


def _queues_with_gpus(names: list[str]) -> Finding:
    if names:
        return ok(counted(len(names), "queue with GPUs", "queues with GPUs", names))
    return note(
        "No queue with GPUs is known.",
        "Declare one, or run where Slurm or HTCondor can be asked; docs/queues.md says how.",
    )


def _declared(files: list[Path]) -> Finding:
    if not files:
        return ok(f"no queues declared; files would go into {declarations.folders()[0]}")
    paths = [str(path) for path in files]
    return ok(counted(len(files), "file of declarations", "files of declarations", paths))


def pace() -> list[Finding]:
    """Look how often a runner asks its batch system. GRIDGPU_POLL_S can change that.

    A value that is no number is a problem. Less than TOO_OFTEN_S seconds is a note.
    """
    text = os.environ.get("GRIDGPU_POLL_S")
    if text is None:
        usual = f"every {USUAL_S:.0f} s, less often while nothing changes"
        return [ok(f"A runner asks its batch system {usual}.")]
    try:
        seconds = float(text)
    except ValueError:
        found = f"GRIDGPU_POLL_S is {text!r}, which is no number."
        return [problem(found, "Set it to seconds, like 15, or unset it.")]
    if seconds < TOO_OFTEN_S:
        found = f"GRIDGPU_POLL_S is {seconds:g} s: many questions for a shared cluster."
        return [note(found, f"{USUAL_S:.0f} is kind to others.")]
    return [ok(f"A runner asks its batch system every {seconds:g} s (GRIDGPU_POLL_S).")]
