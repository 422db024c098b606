"""The runner: the one process that drives a scan.

`loop.py` has the tick, which the runner repeats until the scan is complete. A tick has three main
parts: `proposing.py` makes variants, `sending.py` hands their jobs to the backend, and
`observing.py` records what became of these jobs. `policy.py` says what is left to do, from the view
alone.
"""
