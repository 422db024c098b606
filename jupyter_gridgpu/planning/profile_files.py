"""Finds profiles: YAML files in `gridgpu/profiles.d` in the folders of Jupyter's configuration.

A profile has lines of shell that run in jobs. So only files of root and of this user are read, and
only where nobody else may write. Of two profiles with one name, the user's wins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.planning import trusted_file
from jupyter_gridgpu.planning.profile import Profile
from jupyter_gridgpu.queues import declarations

FOLDER = Path("gridgpu") / "profiles.d"
FILE_LIMIT_BYTES = 1_000_000


@dataclass(frozen=True)
class Problem:
    """Why a file or a profile in it is not used, in one sentence; `profile` may be empty."""

    text: str
    profile: str = ""
    untrusted: bool = False  # others may have written the file


def folders() -> list[Path]:
    """Return the folders in which profiles are looked for, the user's folder first."""
    return [place / FOLDER for place in declarations.places()]


def files() -> list[Path]:
    """Return the files with profiles. A file wins over those after it."""
    return declarations.files_in(folders())


def read_all() -> tuple[list[Profile], list[Problem]]:
    """Return all profiles, no two of one name, and a problem for each that is not used.

    A profile with a mistake is not replaced by one of the same name in a later file.
    """
    found: dict[str, Profile | None] = {}
    problems: list[Problem] = []
    for path in files():
        profiles, problems_of_file = read(path)
        problems += problems_of_file
        for profile in profiles:
            found.setdefault(profile.name, profile)
        for problem in problems_of_file:
            if problem.profile:
                found.setdefault(problem.profile, None)
    return [profile for profile in found.values() if profile is not None], problems


def titles() -> dict[str, str]:
    """Return the titles of all profiles, by their names."""
    return {profile.name: profile.title for profile in read_all()[0]}


def read(path: Path) -> tuple[list[Profile], list[Problem]]:
    """Return the profiles of a file, and a problem for each that has a mistake.

    A file that is not read at all has no profiles and one problem.
    """
    # yaml is imported only here, since most commands read no profiles.
    from jupyter_gridgpu.planning.profile_fields import profiles_of
    from jupyter_gridgpu.queues import bounded_yaml

    # The folder of configuration is three levels above: gridgpu/profiles.d/FILE.
    top = path.parents[2]
    try:
        text = trusted_file.read(path, top, FILE_LIMIT_BYTES).decode("utf-8")
    except OSError as error:
        return [], [Problem(f"{path} cannot be read: {error.strerror or error}.")]
    except trusted_file.Untrusted as error:
        profiles_of_file = _its_profiles(str(error), path)
        return [], [Problem(f"{error}: {profiles_of_file} are not used.", untrusted=True)]
    except (ValueError, UsageError) as error:
        return [], [Problem(f"{path} is no list of profiles: {one_line(str(error))}.")]
    try:
        root = bounded_yaml.compose(text)
    except UsageError as error:
        return [], [Problem(f"{path}, {error}.")]
    if root is None:
        return [], []
    profiles, mistakes = profiles_of(root)
    problems = [
        Problem(f"{path}, line {mistake.line}: {mistake}.", mistake.profile) for mistake in mistakes
    ]
    return [replace(profile, source=str(path)) for profile in profiles], problems


def _its_profiles(clause: str, path: Path) -> str:
    return "its profiles" if clause.startswith(str(path)) else f"the profiles in {path}"
