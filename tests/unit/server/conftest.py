from __future__ import annotations

from collections.abc import Iterator

import pytest

from .kit import Server, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests of a module; each writes scans of its own."""
    with serving(tmp_path_factory.mktemp("server"), "/user/me/") as made:
        yield made
