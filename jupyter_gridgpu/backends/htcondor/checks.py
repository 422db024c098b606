"""What HTCondor cannot do for a scan, found without a question to HTCondor."""

from __future__ import annotations

from jupyter_gridgpu import images
from jupyter_gridgpu.backends.htcondor.submit_options import SubmitOptions
from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.model.scan import ScanSpec

ON_EVERY_NODE = "/cvmfs/"  # images below this are on the nodes, and do not travel


def image_of(scan: ScanSpec) -> str | None:
    """Return the image of the jobs as HTCondor names images, or None without an image."""
    container = scan.container
    if container.image and images.starts_container(container):
        return images.parse(container.image).source
    return None


def check_scan(scan: ScanSpec, options: SubmitOptions) -> None:
    """Raise BackendError if the scan asks for what HTCondor cannot do."""
    if scan.placement.qos:
        raise BackendError(
            "HTCondor knows no --qos: leave it out, or say --account or --constraint."
        )
    image = image_of(scan)
    if image is not None and not scan.placement.shared:
        _check_travelling_image(scan, image, options)


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
            "With --no-shared-disk, nodes have no folder to --bind: "
            "send what jobs need with --files."
        )
