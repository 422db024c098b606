"""Says which variables of this session would go with the jobs of a backend."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from jupyter_gridgpu import backends
from jupyter_gridgpu.backends import travelling
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.resources import Container, Placement
from jupyter_gridgpu.model.scan import ScanSpec, smallest_scan
from jupyter_gridgpu.planning import profiles
from jupyter_gridgpu.planning.profile import Profile


@dataclass(frozen=True)
class SessionVariables:
    """Names of the variables of this session; their values are nowhere.

    `travel` are those that jobs get, `in_images` those of them that jobs in an image get as well.
    All others `stay`, and `secrets` are those of them that look like secrets.
    """

    on: str
    travel: tuple[str, ...]
    in_images: tuple[str, ...]
    stay: tuple[str, ...]
    secrets: tuple[str, ...]


def session_variables(on: str, environment: Mapping[str, str] | None = None) -> SessionVariables:
    """Return what would go with jobs `--on` a backend, or a profile.

    The nodes are taken to share a disk with this machine, unless a profile says that they do not.
    Raises UsageError for a name that is not known.
    """
    profile = profiles.named(on) or Profile(on, on)
    if profile.backend not in backends.names():
        raise UsageError(f"--on {on}: choose one of {', '.join(sorted(backends.names()))}.")
    session = dict(os.environ if environment is None else environment)
    said = {
        text.partition("=")[0]
        for name in ("env", "secret")
        for text in profile.options.get(name, ())
    }
    travel = said | travelling.reaches_jobs(_scan(profile, Container()), session)
    in_images = said | travelling.reaches_jobs(_scan(profile, Container("docker://any")), session)
    stay = sorted(set(session) - travel)
    secrets = [
        name
        for name in stay
        if travelling.is_secret_name(name) or travelling.is_secret_value(session[name])
    ]
    return SessionVariables(
        on, tuple(sorted(travel)), tuple(sorted(in_images)), tuple(stay), tuple(secrets)
    )


def _scan(profile: Profile, container: Container) -> ScanSpec:
    """Return the least that the rule must know of a scan."""
    return smallest_scan(
        backend=profile.backend,
        container=container,
        placement=Placement(shared=not profile.options.get("no_shared_disk", False)),
    )
