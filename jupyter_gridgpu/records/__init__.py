"""What a finished scan is good for: it can be run again, compared, verified and exported."""
