"""What the backends of batch systems share: handing over jobs in batches, and tracking them."""
