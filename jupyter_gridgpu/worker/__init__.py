"""What runs in a job: papermill executes the notebook of one variant, watched by this package.

It is packed into one file and runs on Python 3.9 with the standard library and papermill alone.
"""
