"""`python -m jupyter_gridgpu.cli` is the command `gridgpu`."""

from jupyter_gridgpu.cli.app import main

if __name__ == "__main__":
    main()
