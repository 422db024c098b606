"""Real batch systems and container runtimes for the tests, and stand-ins for servers.

Scripts of this folder install and build them; fixtures start them.
"""
