"""A collector receives metrics from jobs that share no disk with their user."""
