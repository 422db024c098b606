"""What the exit code of a task means when a job left no result."""

from __future__ import annotations

from jupyter_gridgpu.model.exit_codes import OUR_EXITS

# The launcher says more in launch.log, but on a node that does not see the scan's folder it cannot
# write there, so the code alone must tell.
EXITS = {
    **OUR_EXITS,
    # The launcher becomes podman or apptainer by `exec`. These are the codes of those programs.
    **dict.fromkeys((125, 126, 127, 255), ("image", "The container did not start.")),
}
FIRST_SIGNAL, LAST_SIGNAL = 129, 159  # a shell says 128 + N of a program that signal N ended


def exit_meaning(code: int) -> tuple[str | None, str]:
    """Return the reason and a sentence for the exit code of a task that left no result."""
    if code in EXITS:
        return EXITS[code]
    signal = ""
    if FIRST_SIGNAL <= code <= LAST_SIGNAL:
        signal = f" (signal {code - 128})"
    return "node", f"The job ended with exit code {code}{signal} and left no result."
