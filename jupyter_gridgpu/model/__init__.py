"""The nouns of a scan: frozen, pure, typed, standard library only."""
