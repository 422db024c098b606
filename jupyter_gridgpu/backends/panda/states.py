"""PanDA's states of tasks and of jobs, and how they are shown.

PanDA may add states. One that is not named here is shown as PanDA writes it.
"""

from __future__ import annotations

# A task in one of these states makes no more jobs.
FINAL_TASK_STATES = frozenset({"done", "finished", "failed", "broken", "aborted", "exhausted"})
# A task in one of these states was killed and makes no more jobs, though some may still run.
ENDING_TASK_STATES = frozenset({"aborting", "toabort"})
TASK_STATES = {
    "registered": "PanDA has the task and prepares it",
    "defined": "PanDA has the task and prepares it",
    "assigning": "PanDA chooses a site",
    "ready": "PanDA chooses a queue",
    "pending": "PanDA finds no queue for it, for now",
    "throttled": "PanDA holds the task back",
    "paused": "The task is paused at PanDA",
    "scouting": "PanDA tries a few jobs first",
    "running": "PanDA makes its job",
    "prepared": "PanDA sums the task up",
    "passed": "PanDA sums the task up",
    "aborting": "PanDA ends the task",
    "toabort": "PanDA ends the task",
}
# In these states PanDA's broker writes into the task's errorDialog that it found no queue.
BROKERED_TASK_STATES = ("pending", "ready", "assigning")

QUEUED_JOB_STATES = {
    "pending": "PanDA prepares it",
    "defined": "PanDA prepares it",
    "waiting": "Waits for its input",
    "assigned": "Its input is on the way",
    "activated": "Waits for a free place",
    "throttled": "PanDA holds it back, since many others run",
    "sent": "A pilot has taken it",
    "starting": "Starts",
}
# Until PanDA has taken over what a job left, the job counts as running.
RUNNING_JOB_STATES = {
    "running": "Runs",
    "holding": "Has ended, PanDA takes stock of it",
    "transferring": "Has ended, its files are on their way",
    "merging": "Has ended, its files are being merged",
}
# In these states a pilot has the job, and reports to PanDA now and then.
PILOT_JOB_STATES = ("starting", "running")
ENDED_JOB_STATES = frozenset({"finished", "failed", "cancelled", "closed"})
