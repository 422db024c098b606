"""The command line `gridgpu`: one module for each verb; `app.py` puts them together."""
