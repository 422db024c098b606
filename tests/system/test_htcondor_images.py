"""Unpacked images on an HTCondor pool."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines import images
from tests.engines.condor import Pool

from .helpers import Executed, Lab

INSIDE = "import platform, sys\nprint('python', sys.version_info[:2], 'of', platform.freedesktop_os_release()['VERSION_CODENAME'])"


@pytest.fixture
def pool(condor_pool: Pool) -> Pool:
    return condor_pool


def test_an_unpacked_image_runs_through_the_launcher(lab: Lab, pool: Pool) -> None:
    """The nodes are Debian trixie, the image is not."""
    words = ("-p", "n = 1", "--on", "htcondor", "--gpus", "1", "--image", str(images.sandbox()))
    (variant,) = lab.run(lab.notebook(INSIDE), *words).variants().values()
    assert "of bookworm" in Executed.read(Path(variant["notebook"])).text()


def test_an_image_without_papermill_is_said_to_lack_it(lab: Lab, pool: Pool) -> None:
    words = (
        "-p",
        "n = 1",
        "--on",
        "htcondor",
        "--retries",
        "0",
        "--image",
        str(images.bare_sandbox()),
    )
    scan = lab.run(lab.notebook(INSIDE), *words, code=1)
    (variant,) = scan.variants().values()
    assert (variant["state"], variant["reason"]) == ("failed", "image")
