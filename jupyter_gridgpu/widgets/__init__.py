"""What a notebook shows: the live table, the form, plots and comparisons.

Each is drawn by an anywidget in a browser, and is static HTML where no widget can be drawn.
"""
