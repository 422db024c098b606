"""Forks kernels from a prepared parent, which has imported what the notebook imports.

notebook_imports  reads from a notebook what may be imported for all its kernels
parent_starter    starts the prepared parent, in the process that forks workers
parent            is the prepared parent, a process of the kernel's own Python
fork_safety       tells the prepared parent whether it may still be forked after an import
forked_kernel     turns a process that was forked from the prepared parent into a kernel
parent_client     is what a worker knows of the prepared parent
provisioner       asks for a kernel, in the worker, as a provisioner of jupyter_client
"""
