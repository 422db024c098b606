"""A lab whose scans go to the stand-in of PanDA."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engines.panda import FakePanda
from tests.engines.panda.fake import make_token

from .lab import Lab


def token_file(lab: Lab) -> Path:
    """Return the file from which the scans of a lab read their token."""
    return lab.folder / "token"


@contextmanager
def panda_for(lab: Lab, folder: Path) -> Iterator[FakePanda]:
    """Yield the stand-in, with its files in a folder. The lab's scans find it by the environment.

    They read their token from a file, which a test may change.
    """
    panda = FakePanda(folder)
    token_file(lab).write_text(make_token())
    lab.env.update(
        panda.environment(),
        OIDC_AUTH_TOKEN_FILE=str(token_file(lab)),
        PANDA_CONFIG_ROOT=str(lab.folder / "pathena"),
        GRIDGPU_POLL_S="0.2",
    )
    # It would count before the file.
    del lab.env["PANDA_AUTH_ID_TOKEN"]
    try:
        yield panda
    finally:
        panda.stop()
