"""What a user asks for: options, the notebook, and the checked request that becomes a scan."""
