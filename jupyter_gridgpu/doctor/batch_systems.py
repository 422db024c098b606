"""The batch systems: which are installed, whether they answer, and the queues that are known."""

from __future__ import annotations

import os
import re
import shutil
from importlib.metadata import entry_points
from pathlib import Path

from jupyter_gridgpu import backends
from jupyter_gridgpu.doctor.finding import Finding, first_line, note, ok, problem, run, several
from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.queues import declarations
from jupyter_gridgpu.queues import discovery as known
from jupyter_gridgpu.queues import htcondor as htcondor_queue
from jupyter_gridgpu.queues import slurm as slurms

ASKED_S = 6.0
FAST_S, USUAL_S = 5.0, 15.0  # between two questions of a runner


def installed() -> list[Finding]:
    """The engines that --on may name: those whose code can be loaded."""
    good, found = [], []
    for point in entry_points(group=backends.GROUP):
        try:
            point.load()
            good.append(point.name)
        except Exception as error:  # a plug-in of somebody else's may fail in any way
            found.append(
                problem(
                    f"--on {point.name} cannot be loaded: {type(error).__name__}: {error}.",
                    "Reinstall its package.",
                )
            )
    return [ok(f"--on takes {', '.join(sorted(good))} or auto."), *found]


def slurm() -> list[Finding]:
    """Slurm's commands, its controller, its accounting, the largest array."""
    if shutil.which("sbatch") is None:
        return [note("Slurm's commands are not here: --on slurm needs a machine that has sbatch.")]
    found = [ok(first_line(run("sbatch", "--version").out) or "sbatch is here")]
    if not slurms.configured():
        return [
            *found,
            note(
                "Slurm's commands find no slurm.conf here.",
                "Set SLURM_CONF, or use a login node of the cluster.",
            ),
        ]
    said = run("scontrol", "ping", timeout_s=ASKED_S)
    if said.code != 0 or "UP" not in said.out:
        advice = (
            "Jobs that are sent go on. Look at `scontrol ping`, or ask whoever runs the cluster."
        )
        return [*found, problem(f"slurmctld does not answer: {said.last}.", advice)]
    return [*found, ok("slurmctld answers."), _accounting(), *_array()]


def _accounting() -> Finding:
    said = run("sacct", "--noheader", "--allocations", "--starttime", "now", timeout_s=ASKED_S)
    if said.code == 0:
        return ok("Accounting answers.")
    advice = "Jobs are followed by squeue; those that slurmctld forgot while nobody looked are counted by their results."
    return note(f"Accounting does not answer: {said.last}.", advice)


def _array() -> list[Finding]:
    found = re.search(
        r"^MaxArraySize\s*=\s*(\d+)",
        run("scontrol", "show", "config", timeout_s=ASKED_S).out,
        re.MULTILINE,
    )
    return [ok(f"Arrays of up to {int(found[1]) - 1:,} tasks.")] if found and int(found[1]) else []


def htcondor() -> list[Finding]:
    """HTCondor's bindings, collector and schedd."""
    if not htcondor_queue.configured():
        return [
            note(
                "No HTCondor pool is set up here: --on htcondor needs a condor_config (or CONDOR_CONFIG)."
            )
        ]
    try:
        answer = htcondor_queue.call("versions", ASKED_S)
    except BackendError as error:
        return [
            problem(
                str(error),
                "Look at CONDOR_CONFIG and at `condor_status`, or ask whoever runs the pool.",
            )
        ]
    found = [
        ok(f"bindings {_short(answer['bindings'])}"),
        ok(
            f"collector answers; {several(len(answer['schedds']), 'version', 'versions')} of schedd"
        ),
    ]
    if answer["no_schedd"]:
        return [
            *found,
            problem(
                f"No schedd takes jobs from here: {answer['no_schedd']}.",
                "Use a submit node of the pool.",
            ),
        ]
    return [*found, ok("schedd answers.")]


def _short(text: str) -> str:
    found = re.search(r"\d+\.\d+\.\d+", text or "")
    return found[0] if found else "of an unknown version"


def queues() -> list[Finding]:
    """The queues that are known, the files that declare some, and what is wrong with them."""
    found, files = known.find(), declarations.files()
    gpus = [queue.name for queue in found.queues if queue.gpus]
    said = [
        ok(several(len(gpus), "queue with GPUs", "queues with GPUs", gpus)) if gpus else _none(),
        _declared(files),
    ]
    for sentence in found.problems:
        wrong = any(sentence.startswith(str(path)) for path in files)
        said.append(
            problem(sentence, "Correct the file; the other queues are not affected.")
            if wrong
            else note(sentence)
        )
    return said


def _declared(files: list[Path]) -> Finding:
    if not files:
        return ok(f"no queues declared; files would go into {declarations.folders()[0]}")
    return ok(
        several(
            len(files),
            "file of declarations",
            "files of declarations",
            [str(path) for path in files],
        )
    )


def _none() -> Finding:
    return note(
        "No queue with GPUs is known.",
        "Declare one, or run where Slurm or HTCondor can be asked; docs/queues.md says how.",
    )


def pace() -> list[Finding]:
    """How often a runner asks an engine."""
    text = os.environ.get("GRIDGPU_POLL_S")
    if text is None:
        return [
            ok(f"A runner asks its engine every {USUAL_S:.0f} s, less often while nothing changes.")
        ]
    try:
        seconds = float(text)
    except ValueError:
        return [
            problem(
                f"GRIDGPU_POLL_S is {text!r}, which is no number.",
                "Set it to seconds, like 15, or unset it.",
            )
        ]
    if seconds < FAST_S:
        return [
            note(
                f"GRIDGPU_POLL_S is {seconds:g} s: many questions for a shared cluster.",
                "15 is kind to others.",
            )
        ]
    return [ok(f"A runner asks its engine every {seconds:g} s (GRIDGPU_POLL_S).")]
