"""The command line `gridgpu`: one module a verb; `app` puts them together."""
