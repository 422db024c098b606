"""Gathers the metrics of a running notebook, writes them to metrics.jsonl, and sends them."""
