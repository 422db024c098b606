"""Works with what a finished scan has recorded: replay, compare, verify, export, import, pack."""
