"""PanDA, the workload manager of the grid: one task for each batch, one PanDA job for each task of the base.

backend.py      the Backend: what is asked when, and what becomes of the answers
call.py         starts client.py in a process of its own and waits for its answer, or not
client.py       that process: the only one that imports pandaclient, whose calls block, print and exit
sandbox.py      the archive that travels to the jobs
taskmap.py      what PanDA is told of a task
words.py        PanDA's states, codes and diagnostics in ours
outputs.py      what finished jobs left, brought into the scan's folder
credentials.py  who the user is to PanDA, and until when
"""

from __future__ import annotations

from jupyter_gridgpu.backends.panda.backend import PandaBackend

__all__ = ["PandaBackend"]
