"""The local backend: jobs are processes of this machine.

backend.py      the backend itself: hands jobs over, and gives each its GPUs and threads
devices.py      the GPUs and cores of this machine, and which job has which GPUs
starters.py     two ways to start a worker: by the fork server, or by a launcher of its own
own_python.py   the Python of --python: whether jobs can run with it, and its fork server
python_probe.py what that Python runs to find out what it lacks
claims.py       the file by which exactly one process takes a job
tracking.py     what becomes of a job that was handed over; decides that a job is lost
waiting.py      how long jobs have been waited for that no worker took
endings.py      the ends of jobs that left no result
"""
