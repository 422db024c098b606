"""The scan folder: paths, journal, lease, inbox. One writer per file."""
