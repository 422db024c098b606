"""Unpacked images on an HTCondor pool."""

from __future__ import annotations

from pathlib import Path

from tests.engines import images
from tests.engines.condor import Pool

from .helpers import options, space
from .lab import Lab
from .notebooks import Executed

INSIDE = """
import platform, sys
print("python", sys.version_info[:2], "of", platform.freedesktop_os_release()["VERSION_CODENAME"])
"""


def test_an_unpacked_image_runs_through_the_launcher(lab: Lab, pool: Pool) -> None:
    """The nodes are Debian trixie, the image is not."""
    asked = options(f"--on htcondor --gpus 1 --image {images.sandbox()}")
    (variant,) = lab.run(lab.notebook(INSIDE), *space(n=1), *asked).variants().values()
    assert "of bookworm" in Executed.read(Path(variant["notebook"])).text()


def test_an_image_without_papermill_is_said_to_lack_it(lab: Lab, pool: Pool) -> None:
    asked = options(f"--on htcondor --retries 0 --image {images.bare_sandbox()}")
    scan = lab.run(lab.notebook(INSIDE), *space(n=1), *asked, code=1)
    (variant,) = scan.variants().values()
    assert (variant["state"], variant["reason"]) == ("failed", "image")


def test_an_image_that_nodes_see_stays_where_it_is_and_sees_what_is_bound(
    lab: Lab, pool: Pool
) -> None:
    shared = lab.folder / "eos"
    shared.mkdir()
    (shared / "data.txt").write_text("seven")
    read = f"{INSIDE}print(open('eos/data.txt').read(), open('{shared}/data.txt').read())"
    image = images.sandbox()
    asked = options(f"--on htcondor --no-shared-disk --image {image} --bind {shared}")
    asked += ["--shared", f"{shared},{image.parent}", "--files", str(shared / "data.txt")]
    (variant,) = lab.run(lab.notebook(read), *space(n=1), *asked).variants().values()
    text = Executed.read(Path(variant["notebook"])).text()
    assert "of bookworm" in text
    assert "seven seven" in text
