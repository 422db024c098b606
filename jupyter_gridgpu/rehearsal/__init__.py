"""A rehearsal: the first variant of a scan, run for about an epoch before the scan is sent.

It has the image, the files and the limits of the scan, so it fails where the scan would fail. It is
a scan of its own, which is stopped when it has shown what it can.

    plan.py     which scan is run as the rehearsal
    follow.py   watches that scan, and stops it when enough was seen
    report.py   what was seen, as a record and as text
    run.py      the three together
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
