"""Real batch systems and container runtimes for the tests, started by scripts and fixtures of this folder."""
