"""A rehearsal: the first variant of a scan, run for about an epoch before the scan is sent.

It runs with the image, the files and the limits of the scan, so it fails where the scan would fail.
It is a scan of its own, which is stopped after its first epochs.

    plan.py     makes the plan of the rehearsal from the plan of the scan
    follow.py   watches the rehearsal, and stops it after its first epochs
    report.py   makes the report of what was seen, as a record and as text
    run.py      calls these three, one after another
"""

from jupyter_gridgpu.rehearsal.plan import first_point, rehearsal_plan
from jupyter_gridgpu.rehearsal.report import RehearsalReport, report_text
from jupyter_gridgpu.rehearsal.run import rehearse, rehearse_before_sending

__all__ = [
    "RehearsalReport",
    "first_point",
    "rehearsal_plan",
    "rehearse",
    "rehearse_before_sending",
    "report_text",
]
