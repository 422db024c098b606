"""How processes on different machines exchange data: HTTP, signatures, frames, and secrets."""
