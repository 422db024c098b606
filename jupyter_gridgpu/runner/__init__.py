"""The runner: the one process that drives a scan.

`loop.py` is its tick, the order in which things are done. `proposing.py`, `sending.py` and
`observing.py` are the three parts of a tick: which variants there are, how their jobs come to the
backend, and what became of these jobs. `policy.py` says what is left to do, from the view alone.
"""
