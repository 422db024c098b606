"""Images on an HTCondor pool: through our launcher where nodes see the folder, by HTCondor itself where they do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines import images
from tests.engines.condor import Pool

from .helpers import Executed, Lab

INSIDE = (
    "import platform, sys\nprint('python', sys.version_info[:2], 'of', platform.freedesktop_os_release()['VERSION_CODENAME'])"
)


@pytest.fixture
def pool(condor_pool: Pool) -> Pool:
    return condor_pool


def check_ran_inside(lab: Lab, *options: str) -> None:
    """The nodes are Debian trixie, the images are not."""
    scan = lab.run(lab.notebook(INSIDE), "-p", "n = 1", "--on", "htcondor", "--gpus", "1", *options, code=0)
    (variant,) = scan.variants().values()
    assert "of bookworm" in Executed.read(Path(variant["notebook"])).text()


def test_an_unpacked_image_runs_through_the_launcher(lab: Lab, pool: Pool) -> None:
    check_ran_inside(lab, "--image", str(images.sandbox()))


def test_without_a_shared_disk_htcondor_brings_the_image(lab: Lab, pool: Pool) -> None:
    check_ran_inside(lab, "--image", str(images.sif()), "--no-shared-disk")


def test_an_image_without_papermill_is_said_to_lack_it(lab: Lab, pool: Pool) -> None:
    words = ("-p", "n = 1", "--on", "htcondor", "--retries", "0", "--image", str(images.bare_sandbox()))
    scan = lab.run(lab.notebook(INSIDE), *words, code=1)
    (variant,) = scan.variants().values()
    assert (variant["state"], variant["reason"]) == ("failed", "image")
