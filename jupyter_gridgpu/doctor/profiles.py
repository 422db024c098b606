"""Checks the files with profiles: whether they can be used, and what is wrong in them."""

from __future__ import annotations

from jupyter_gridgpu.doctor.finding import Finding, counted, ok, problem
from jupyter_gridgpu.planning import profile_files

CORRECT = "Correct the file; the other profiles are not affected."
GUARD = "Let it belong to you or to root, and say `chmod go-w` for it."


def profiles() -> list[Finding]:
    """Look at the profiles that --on takes.

    A mistake in a file is a problem, and so is a file that others may write: nothing in it is used.
    """
    found, mistakes = profile_files.read_all()
    files = profile_files.files()
    findings = [_known([profile.name for profile in found])]
    if not files:
        folder = profile_files.folders()[0]
        findings = [ok(f"no profiles; files would go into {folder}")]
    return [
        *findings,
        *(problem(mistake.text, GUARD if mistake.untrusted else CORRECT) for mistake in mistakes),
    ]


def _known(names: list[str]) -> Finding:
    return ok(counted(len(names), "profile", "profiles", names))
