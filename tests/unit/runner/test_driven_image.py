"""The runner compares the images in which jobs ran."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from jupyter_gridgpu import channels
from jupyter_gridgpu.backends.base import Backend
from jupyter_gridgpu.model import events, notes
from jupyter_gridgpu.model.job import Observation
from jupyter_gridgpu.model.resources import Container
from jupyter_gridgpu.model.scan import to_json
from jupyter_gridgpu.model.view import ScanView
from jupyter_gridgpu.runner.driven_image import DrivenImage
from jupyter_gridgpu.runner.driven_scan import DrivenScan
from jupyter_gridgpu.runner.observing import JobObserver
from jupyter_gridgpu.store import fold_cache
from jupyter_gridgpu.store.paths import ScanPaths, write_json
from jupyter_gridgpu.testing.examples import small_scan

IMAGE = Container("docker://ml/base:latest")


@pytest.fixture
def scan(tmp_path: Path) -> DrivenScan:
    return driven(tmp_path)


def driven(folder: Path, container: Container = IMAGE) -> DrivenScan:
    spec = small_scan(container=container, objective=None)
    write_json(ScanPaths(folder).spec, to_json(spec))
    return DrivenScan(spec, ScanPaths(folder), 1)


def ran(scan: DrivenScan, key: str, about: object, copy: str = "ab12") -> None:
    """Leave the copy.json of a job."""
    path = scan.paths.job(key).copy(copy).about
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(about))


def note(view: ScanView) -> str | None:
    return notes.note(view, 0.0)


def test_another_image_under_the_same_name_is_noted(scan: DrivenScan) -> None:
    look = DrivenImage(scan).look
    look("v0001.1")
    for number, mark in enumerate(("sha256:1", "sha256:1", "sha256:2", "sha256:3"), 1):
        ran(scan, f"v{number:04d}.1", {"image_mark": mark})
        look(f"v{number:04d}.1")
        if number == 2:
            assert note(scan.view) is None
    said = (
        "v0003 ran in another image (sha256:2) than where the scan began (sha256:1), though both"
        " are docker://ml/base:latest: their results may differ for that reason."
    )
    assert note(scan.view) == said
    scan.journal.close()
    # The next runner knows it from the journal, and writes it no second time.
    again = DrivenScan(scan.spec, scan.paths, 2)
    DrivenImage(again).look("v0003.1")
    assert note(again.view) == said
    assert (again.view.images, again.view.seq) == (scan.view.images, scan.view.seq)
    again.journal.close()


def test_a_job_that_saw_no_container_is_noted(scan: DrivenScan) -> None:
    """The batch system was to start the image."""
    look = DrivenImage(scan).look
    about = {"image": "docker://ml/base:latest", "image_mark": None}
    ran(scan, "v0001.1", about)  # of an earlier version, which did not look
    look("v0001.1")
    assert note(scan.view) is None
    ran(scan, "v0002.1", {**about, "container": "docker"})
    look("v0002.1")
    assert note(scan.view) is None
    ran(scan, "v0003.1", {**about, "container": None})
    look("v0003.1")
    assert note(scan.view) == (
        "v0003 saw no sign of a container, though it was to run in docker://ml/base:latest: its"
        " provenance names the Python that ran."
    )
    scan.journal.close()


def test_what_an_earlier_version_noted_of_the_first_job_counts(scan: DrivenScan) -> None:
    scan.paths.image_version.write_text("sha256:0")
    ran(scan, "v0002.1", {"image_mark": "sha256:2"})
    DrivenImage(scan).look("v0002.1")
    assert "another image (sha256:2) than where the scan began (sha256:0)" in str(note(scan.view))
    scan.journal.close()


@pytest.mark.parametrize("mark", [None, "", 7, ["x"], {"a": 1}])
def test_a_job_without_a_sound_mark_is_passed_over(scan: DrivenScan, mark: Any) -> None:
    ran(scan, "v0001.1", {"image_mark": mark})
    ran(scan, "v0002.1", [mark])
    for key in ("v0001.1", "v0002.1"):
        DrivenImage(scan).look(key)
    assert scan.view.seq == 0
    scan.journal.close()


def test_marks_of_jobs_are_bounded(scan: DrivenScan) -> None:
    for number in range(1, 100):
        ran(scan, f"v{number:04d}.1", {"image_mark": f"\x1b[31m{number}\n" + "x" * 10_000})
        DrivenImage(scan).look(f"v{number:04d}.1")
    assert len(scan.view.images) == scan.view.seq == 20
    assert all(len(mark) <= 200 and mark.isprintable() for mark, _ in scan.view.images)
    scan.journal.close()


def test_a_scan_without_an_image_is_not_looked_at(tmp_path: Path) -> None:
    scan = driven(tmp_path, Container())
    ran(scan, "v0001.1", {"image_mark": "sha256:1"})
    DrivenImage(scan).look("v0001.1")
    assert scan.view.seq == 0
    scan.journal.close()


def test_the_cached_fold_knows_the_images(
    scan: DrivenScan, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2):
        ran(scan, f"v{number:04d}.1", {"image_mark": f"sha256:{number}"})
        DrivenImage(scan).look(f"v{number:04d}.1")
    monkeypatch.setattr(fold_cache, "LEAST_VARIANTS", 0)
    fold_cache.write(scan.paths, scan.view, scan.journal.size())
    found = fold_cache.read(scan.paths, scan.spec)
    assert found is not None
    assert found[0].images == scan.view.images
    scan.journal.close()


class FakeBackend:
    """A backend whose jobs leave nothing that is to be brought."""

    poll_s = 0.0

    def collect(self, key: str, ident: str) -> None:
        """Do nothing."""


def test_the_image_is_looked_at_while_a_job_runs_and_when_it_has_ended(scan: DrivenScan) -> None:
    observer = JobObserver(scan, cast(Backend, FakeBackend()), channels.load(scan.spec, scan.paths))
    for number, seen in ((1, Observation("running", started=1.0)), (2, Observation("done"))):
        ident = f"v{number:04d}"
        proposed = {"variant": ident, "point": number - 1, "repeat": 0, "params": {}}
        scan.record(
            (events.VARIANT_PROPOSED, proposed), (events.JOB_INTENDED, {"key": f"{ident}.1"})
        )
        scan.record((events.JOB_SUBMITTED, {"key": f"{ident}.1"}))
        ran(scan, f"{ident}.1", {"image_mark": f"sha256:{number}"})
        observer.observed(scan.view.variants[ident], seen, 1.0)
    assert scan.view.images == [("sha256:1", "v0001"), ("sha256:2", "v0002")]
    scan.journal.close()
