"""The local backend: jobs are processes of this machine."""
