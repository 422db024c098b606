"""The backend for Slurm."""
