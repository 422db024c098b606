"""What HTCondor cannot do for a scan, found without a question to HTCondor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jupyter_gridgpu import images
from jupyter_gridgpu.backends.htcondor.submit_options import SubmitOptions
from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.model.records import SharedFile
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.shared_paths import place_on_nodes

ON_EVERY_NODE = "/cvmfs/"  # images below this are on the nodes, and do not travel


def image_of(scan: ScanSpec) -> str | None:
    """Return the image of the jobs as HTCondor names images, or None without an image."""
    container = scan.container
    if container.image and images.starts_container(container):
        return images.parse(container.image).source
    return None


def brought_image(scan: ScanSpec) -> str | None:
    """Return the image that HTCondor brings to the nodes and starts there, or None."""
    image = image_of(scan)
    return image if image is not None and images.started_by_others(scan) else None


def usable_files(scan: ScanSpec, seen: Mapping[str, SharedFile]) -> dict[str, SharedFile]:
    """Return those helper files that jobs can use where they lie, of those that nodes see.

    In a container a job sees of the node what --bind names, and nothing where HTCondor starts it.
    """
    if image_of(scan) is None:
        return dict(seen)
    if brought_image(scan) is not None:
        return {}
    binds = [images.parse_bind(text) for text in scan.container.binds]
    folders = [bind.source for bind in binds if bind.source == bind.target]
    return {
        name: about
        for name, about in seen.items()
        if any(Path(about["path"]).is_relative_to(folder) for folder in folders)
    }


def check_scan(scan: ScanSpec, options: SubmitOptions) -> None:
    """Raise BackendError if the scan asks for what HTCondor cannot do."""
    if scan.placement.qos:
        raise BackendError(
            "HTCondor knows no --qos: leave it out, or say --account or --constraint."
        )
    image = brought_image(scan)
    if image is not None:
        _check_travelling_image(scan, image, options)
    elif not scan.placement.shared:
        _check_binds(scan)


def _check_binds(scan: ScanSpec) -> None:
    """Raise BackendError for a folder to bind that nodes do not see."""
    for text in scan.container.binds:
        source = images.parse_bind(text).source
        if place_on_nodes(source, scan.placement.shared_paths) != source:
            raise BackendError(
                f"--bind {text}: with --no-shared-disk, nodes see what lies below --shared alone."
                " Send what jobs need with --files."
            )


def _check_travelling_image(scan: ScanSpec, image: str, options: SubmitOptions) -> None:
    container = scan.container
    is_archive = images.parse(container.image or "").kind == images.ARCHIVE
    if container.runtime == "podman" or is_archive:
        raise BackendError(
            "With --no-shared-disk, HTCondor brings images to apptainer alone: "
            "no podman, no archives."
        )
    if options.spool and image.startswith("/") and not image.startswith(ON_EVERY_NODE):
        raise BackendError(
            "With --engine-option 'spool = True', HTCondor would get the image once for each job:"
            " name one below /cvmfs, or docker://NAME."
        )
    if container.binds:
        raise BackendError(
            "With --no-shared-disk, HTCondor starts the image and takes no --bind: "
            "name an image below a folder of --shared, or send what jobs need with --files."
        )
