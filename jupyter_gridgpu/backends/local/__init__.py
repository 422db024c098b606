"""The local backend: jobs are processes of this machine.

backend.py      the backend itself: hands jobs over, and gives each its GPUs and threads
devices.py      the GPUs and cores of this machine, and which job has which GPUs
starters.py     two ways to start a worker: by the fork server, or in a container
claims.py       the file by which exactly one process takes a job
tracking.py     what becomes of a job that was handed over; decides that a job is lost
"""
