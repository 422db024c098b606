"""Every test gets a lab of its own, whose processes are ended with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .lab import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Yield a lab, whose processes end with the test."""
    made = Lab(tmp_path)
    yield made
    made.end()


@pytest.fixture(scope="module")
def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Yield a lab for the tests of one file that look at one and the same scan."""
    made = Lab(tmp_path_factory.mktemp("lab"))
    yield made
    made.end()
