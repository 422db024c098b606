"""Install and build what the tests need of batch systems and images, so that no test waits for it.

python -m tests.engines
"""

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
    ("a disk that is seen late", lambda: run_script("late_disk.sh")),
)


def main() -> int:
    """Build one after another, and return the exit code: 1 in CI if something is missing.

    Nothing is built at the same time, since apt and dpkg lock everybody else out.
    """
    missing = [what for what, make in WAYS if not built(what, make)]
    if missing and os.environ.get("CI") == "true":
        return 1
    return 0


def built(what: str, make: Callable[[], object]) -> bool:
    """Build one thing, print how that went, and return whether it is there now."""
    began = time.monotonic()
    try:
        as_root(what)
        make()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # what pytest raises to skip and to fail is no Exception
        print(f"{what}: not there. {error}", file=sys.stderr, flush=True)
        return False
    print(f"{what}: there, after {time.monotonic() - began:.0f} s", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
