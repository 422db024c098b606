"""The PanDA backend: jobs run on the grid."""
