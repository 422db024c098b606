"""The runner: the one process that drives a scan."""
