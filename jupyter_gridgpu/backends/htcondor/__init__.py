"""The HTCondor backend.

backend.py        the backend itself
checks.py         what HTCondor cannot do for a scan
description.py    what a batch asks for, as a submit description
submit_options.py what --engine-option may say to HTCondor
start_script.py   how a worker is started on a node
ads.py            what HTCondor says of a job, as a TaskStatus
spool.py          files that go through the spool of a schedd; runs in that process, too
fetcher.py        fetches what jobs left in the spool of a schedd
bindings.py       the process that asks HTCondor, and how it is called
machines.py       how many machines of the pool could run a job that waits; runs in that process
transfer.py       files that travel with the jobs where nodes do not see the scan's folder
"""
