"""What a notebook shows: the live table, the form, plots and comparisons.

An anywidget draws in a browser; static HTML is there for everywhere else.
"""
