"""The HTCondor backend."""
