"""The command line `gridgpu`: one module a verb, put together in `app`."""
