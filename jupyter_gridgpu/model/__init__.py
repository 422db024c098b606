"""The nouns of a scan, the grammar of a space, and the fold of the journal.

Nothing here reads a file, asks a batch system or waits. The room uses the standard library alone
and runs on Python 3.9, since workers use it in the container images of users.
"""
