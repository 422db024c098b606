"""How processes on different machines speak to each other: HTTP, signatures, frames, and the keys for them."""
