"""Ways on which a job's metrics come back."""
