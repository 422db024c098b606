"""How workers come up: forked from a server, in containers, several in one job, or on the grid."""
