"""How processes on different machines speak: HTTP, signatures, frames, and the keys for them."""
