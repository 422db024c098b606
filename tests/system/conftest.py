"""Every test gets a lab of its own, whose processes are ended with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.condor import Pool
from tests.engines.panda import FakePanda

from .lab import Lab
from .panda_lab import panda_for


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Yield a lab, whose processes end with the test."""
    made = Lab(tmp_path)
    yield made
    made.end()


@pytest.fixture
def panda(tmp_path: Path, lab: Lab) -> Iterator[FakePanda]:
    """Yield the stand-in of PanDA, to which the scans of the lab go."""
    with panda_for(lab, tmp_path / "panda") as made:
        yield made


@pytest.fixture
def pool(condor_pool: Pool) -> Pool:
    """Return the HTCondor pool that all tests share."""
    return condor_pool


@pytest.fixture(scope="module")
def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Yield a lab for the tests of one file that look at one and the same scan."""
    made = Lab(tmp_path_factory.mktemp("lab"))
    yield made
    made.end()
