"""Queues with GPUs: declared in files, or found by asking batch systems and this machine."""
