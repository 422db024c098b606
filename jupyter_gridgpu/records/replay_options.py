"""The options of a replay: those that the scan ran with, updated with those that were given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jupyter_gridgpu import backends
from jupyter_gridgpu.backends.base import Capabilities
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.planning import profiles
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.honoured import without_ignored
from jupyter_gridgpu.planning.recorded_options import recorded_options


def replay_options(scan: ScanSpec, given: Mapping[str, Any]) -> tuple[Options, Mapping[str, Any]]:
    """Return the options that the scan ran with, updated with those that were given.

    Return also those that are not the scan's own, by name: a profile has some. Raises UsageError.
    """
    options = recorded_options(scan)
    if given.get("image") is not None:
        options = replace(options, python=None)  # the image has its own
    profile = profiles.named(given.get("on"))
    backend = profile.backend if profile else given.get("on", scan.backend)
    # A profile is another place, also if the scan ran on the same batch system.
    if profile or backend != scan.backend:
        # What was said of one batch system and its nodes means nothing to another one.
        options = replace(
            options,
            queue=None,
            account=None,
            qos=None,
            constraint=None,
            no_shared_disk=False,
            exclude_site=(),
            inputs=(),
            out=None,
            attempts=None,
            engine_option=(),
            shared=(),
            setup=(),
            python=None,
        )
    capabilities = Capabilities()
    if backend in backends.names():
        capabilities = backends.capabilities(backend)
    options = without_ignored(options, capabilities)
    if profile is None:
        name = scan.profile if backend == scan.backend else ""
        return profiles.with_profile(replace(options, **given), name), given
    values, own = profiles.over_recorded(profile, given, options)
    options = replace(options, **values)
    return profiles.with_profile(options, profile.name, profile.collector), own
