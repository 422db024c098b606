"""The live table in a notebook: an anywidget for the browser, static HTML for everywhere else."""
