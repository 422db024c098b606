"""The ways in which workers are started.

They are forked by the fork server, started in containers, forked as several jobs of one task of a
batch system, or started as a task of the grid.
"""
