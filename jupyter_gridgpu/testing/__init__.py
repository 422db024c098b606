"""Contract suites: what every backend and sampler must do, ours and others'."""
