"""Exit codes of tasks in words, those of our launcher first."""

from __future__ import annotations

EXITS = {
    71: ("node", "The node does not see the scan's folder."),
    72: ("image", "The node has no container runtime for the image."),
    73: ("image", "The image could not be used."),
    74: ("image", "The image has no Python 3.9 or newer, or no papermill."),
    75: ("node", "The node has no GPU."),
    # of podman and apptainer, into which the launcher turns
    **dict.fromkeys((125, 126, 127, 255), ("image", "The container did not start.")),
}  # exit codes of the launcher; launch.log says more where the folder is there


def exit_words(code: int) -> tuple[str | None, str]:
    """Return reason and words for the exit code of a task that left no result."""
    if code in EXITS:
        return EXITS[code]
    signal = f" (signal {code - 128})" if 128 < code < 160 else ""
    return "node", f"The job ended with exit code {code}{signal} and left no result."
