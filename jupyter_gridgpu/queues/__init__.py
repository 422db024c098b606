"""GPU queues: declared in files, or found by asking batch systems and this machine."""
