"""Contract suites: what every backend and sampler must do, ours and others'.

Subclass `samplers.SamplerContract` or `backends.BackendContract` in a test file and say how yours is made; pytest does
the rest. Only test suites import this package, since it needs pytest.
"""
