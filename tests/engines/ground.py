"""Where batch systems and images of the tests are kept, and what happens to a test without them."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

SCRIPTS = Path(__file__).parent


def engines_folder() -> Path:
    """Return the folder that keeps what is built once and used by many test runs.

    It lies outside the project.
    """
    folder = Path(os.environ.get("GRIDGPU_ENGINES") or Path.home() / ".cache" / "gridgpu-engines")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def absent(why: str) -> NoReturn:
    """Skip a test whose batch system or runtime is not there. In CI, where it must be, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(why, pytrace=False)
    pytest.skip(why)


def as_root(what: str) -> None:
    """Skip the test unless root runs it, since only root can build and start `what`."""
    if os.geteuid() != 0:
        absent(f"{what} is started by root alone.")


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Hold a lock among all test runs of this machine while something is built."""
    with open(engines_folder() / f".{name}.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run_script(name: str, *words: str | Path, env: dict[str, str] | None = None) -> str:
    """Run one of the scripts beside this file and return what it printed.

    If it fails, what it should have built is absent, so the test is skipped.
    """
    ran = subprocess.run(
        [SCRIPTS / name, *words],
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if ran.returncode != 0:
        absent(f"{name} ended with {ran.returncode}: {ran.stderr[-2000:]}")
    return ran.stdout
