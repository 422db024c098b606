"""The exit codes by which our launcher and our worker say why a job left no result.

Where nothing else of a job comes back, its code alone must tell. The launcher (images/worker.sh)
uses 71 to 76, and Slurm's script 71 and 77. A task on the grid uses the code of its reason, since
PanDA keeps no files of a job that failed (worker/launch/grid_task.py). Codes that pilots, shells
and container runtimes use for something else are left out.
"""

from __future__ import annotations

# Code -> the reason, as `model/job.py` has them, and a sentence.
LAUNCHER_EXITS = {
    71: ("node", "The node does not see the scan's folder."),
    72: ("image", "The node has no container runtime for the image."),
    73: ("image", "The image could not be used."),
    74: ("image", "There is no Python 3.9 or newer with papermill where the job ran."),
    75: ("node", "The node has no GPU."),
    76: ("setup", "The environment could not be set up."),
    77: ("node", "On the node, your user may not enter the scan's folder or one above it."),
}
WORKER_EXITS = {
    70: ("node", "The node failed the job."),
    80: ("user", "The job was stopped by its user."),
    81: ("timeout", "The job reached its time limit."),
    82: ("oom", "The job took more memory than it may."),
    83: ("preempted", "The node took its place back from the job."),
    84: ("pruned", "The job was ended early, since others did better."),
    85: ("notebook", "A cell of the notebook failed."),
}
OUR_EXITS = {**LAUNCHER_EXITS, **WORKER_EXITS}
EXIT_NODE = 70
# The worker has no codes for these two reasons, so it uses those of the launcher.
CODE_OF_REASON = {
    **{reason: code for code, (reason, _) in WORKER_EXITS.items()},
    "image": 73,
    "setup": 76,
}
