"""A stand-in for a PanDA server, called a fake.

It answers panda-client as the recordings in tests/data/panda do.
"""

from __future__ import annotations

from tests.engines.panda.fake import FakePanda

__all__ = ["FakePanda"]
