"""The scan folder on disk: its files, journal, lease and inbox. Each file has one writer."""
