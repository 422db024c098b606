"""Contract tests: what every backend and every sampler must do, ours and those of others.

A test file derives a class from `backends.BackendContract` or `samplers.SamplerContract` and says
how a backend or a sampler is made; pytest does the rest. Only tests import this package, since it
needs pytest.
"""
