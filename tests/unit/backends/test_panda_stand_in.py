"""The stand-in of PanDA's server answers as a real one did, and panda-client takes its answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines.panda import FakePanda, recorded
from tests.engines.panda.replay import Replay


@pytest.mark.parametrize("name", recorded.NAMES)
def test_every_recorded_exchange_is_answered_alike(tmp_path: Path, name: str) -> None:
    panda = FakePanda(tmp_path, live=False)
    try:
        exchanges = sum(line["kind"] == "http" for line in recorded.lines(name))
        assert Replay(panda, name).run() == exchanges > 5
    finally:
        panda.stop()
