"""What a finished scan is good for: run again, compared, verified, handed on."""
