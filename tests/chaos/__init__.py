"""A campaign that kills processes of real scans at seeded instants, and checks what is left."""
