"""What runs in a job: papermill on one variant. Standard library and papermill only; packed as one zipapp."""
