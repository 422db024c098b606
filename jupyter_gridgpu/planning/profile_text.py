"""Says which profile a scan was made with, and which options these are."""

from __future__ import annotations

import shlex

from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.planning.options import words_for
from jupyter_gridgpu.planning.profile import Profile, option_names
from jupyter_gridgpu.planning.recorded_options import given_options

LINE_LIMIT = 300  # characters of the line above a table


def profile_text(scan: ScanSpec) -> str:
    """Return what `--on PROFILE` of a scan stands for, in one sentence; empty without a profile."""
    if not scan.profile:
        return ""
    return f"Profile {scan.profile}: {shlex.join(profile_words(scan))}"


def place_line(scan: ScanSpec) -> str:
    """Return the line above a table: why a queue was chosen, or what a profile stands for."""
    return scan.choice or one_line(profile_text(scan), LINE_LIMIT) or ""


def profile_words(scan: ScanSpec) -> list[str]:
    """Return the options of a scan with a profile, its own among them, as a command has them."""
    given = given_options(scan)
    values = {name: given[name] for name in option_names() if name in given}
    return ["--on", scan.backend, *words_for(values)]


def profile_info(profile: Profile) -> dict[str, str]:
    """Return a profile as lists of them show it; `options` has the words of a command."""
    words = ["--on", profile.backend, *words_for(profile.options)]
    return {
        "name": profile.name,
        "backend": profile.backend,
        "title": profile.title,
        "options": shlex.join(words),
        "collector": profile.collector or "",
        "source": profile.source,
    }
