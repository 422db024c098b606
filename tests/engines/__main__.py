"""Installs and builds ahead what the engines of the tests need, so that no test waits for it: `python -m tests.engines`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

from tests.engines import images
from tests.engines.ground import as_root, run_script
from tests.engines.trixie import trixie_root

WAYS: tuple[tuple[str, Callable[[], object]], ...] = (
    ("Slurm and its accounting", lambda: run_script("slurm.sh", "accounting")),
    ("podman", images.podman_environment),
    ("a Debian with HTCondor", trixie_root),
    ("images", images.sandbox),
    ("Apptainer", images.apptainer_bin),
    ("an image in one file", images.sif),
    ("an archive of an image", images.archive),
)


def main() -> int:
    """Build one after another, since apt and dpkg let nobody else in; in CI all of them must be there."""
    missing = 0
    for what, make in WAYS:
        began = time.monotonic()
        try:
            as_root(what)
            make()
        except BaseException as error:  # pytest's ways to skip and to fail are no Exceptions
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            missing += 1
            print(f"{what}: not there. {error}", file=sys.stderr, flush=True)
        else:
            print(f"{what}: there, after {time.monotonic() - began:.0f} s", flush=True)
    return min(missing, 1) if os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    sys.exit(main())
