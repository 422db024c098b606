"""System tests: what a scan must withstand, with real processes, kernels, signals and disks."""
