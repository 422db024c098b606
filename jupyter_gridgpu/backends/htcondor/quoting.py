"""Texts as submit descriptions and the ClassAd language hold them."""

from __future__ import annotations

from jupyter_gridgpu.errors import BackendError


def argument(word: str) -> str:
    """Return a word as one of the arguments in a description.

    Raises BackendError for a word with a line break, which a description cannot hold.
    """
    if "\n" in word:
        raise BackendError(f"HTCondor takes no name with a line break: {word}")
    # Quotes are doubled.
    escaped = word.replace("'", "''").replace('"', '""')
    return f"'{plain(escaped)}'"


def plain(text: str) -> str:
    """Return a text in which HTCondor replaces nothing.

    It replaces `$(NAME)`, and `$ENV(NAME)` by a variable of the user, so the dollar gets a name.
    """
    return text.replace("$", "$(DOLLAR)")


def quoted(text: str) -> str:
    """Return a text as a string of the ClassAd language."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
