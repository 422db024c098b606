"""Kernels forked from a prepared parent that has imported what the notebook imports."""
