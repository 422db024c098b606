"""A PanDA server for tests: the stand-in, or a real one that the environment names.

GRIDGPU_TEST_PANDA_URL is the address of a real server, like https://host:25443/server/panda. What
else panda-client needs (PANDA_AUTH, PANDA_AUTH_VO, a token or a proxy) is taken from the
environment as it is. GRIDGPU_TEST_PANDA_SITE is a queue whose workers have python3 and papermill,
or GRIDGPU_TEST_PANDA_IMAGE an image that has them. GRIDGPU_TEST_PANDA_HOLD_S is how many seconds a
job is held where a test needs one that runs; it must be longer than another job takes there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.panda.fake import FakePanda

URL = "GRIDGPU_TEST_PANDA_URL"
SITE = "GRIDGPU_TEST_PANDA_SITE"
IMAGE = "GRIDGPU_TEST_PANDA_IMAGE"
HOLD = "GRIDGPU_TEST_PANDA_HOLD_S"
# Of the caller's environment, panda-client would believe these before the stand-in's.
FOREIGN = (
    "PANDAMON_URL",
    "X509_USER_PROXY",
    "RUCIO_ACCOUNT",
    "RUCIO_HOME",
    "OIDC_AUTH_TOKEN_FILE",
    "OIDC_AUTH_ID_TOKEN",
)


def real() -> bool:
    """Return whether tests are to ask a real server."""
    return bool(os.environ.get(URL))


def addresses() -> dict[str, str]:
    """Return the variables by which panda-client finds the real server."""
    return {
        name: os.environ.get(name, os.environ[URL])
        for name in ("PANDA_URL", "PANDA_URL_SSL", "PANDACACHE_URL")
    }


@pytest.fixture
def panda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePanda]:
    """Run the stand-in, to which the environment leads.

    Tests that turn its knobs are skipped where a real server is meant.
    """
    if real():
        pytest.skip(f"{URL} is set: a real server has no knobs")
    made = FakePanda(tmp_path / "panda")
    wanted = {
        **made.environment(),
        "GRIDGPU_POLL_S": "0.3",
        "PANDA_CONFIG_ROOT": str(tmp_path / "pathena"),
    }
    for name, value in wanted.items():
        monkeypatch.setenv(name, value)
    for name in FOREIGN:
        monkeypatch.delenv(name, raising=False)
    yield made
    made.stop()
