"""Refuses words that give an option twice which has one value: click would drop the first."""

from __future__ import annotations

from collections.abc import Sequence

import click


def require_once(command: click.Command, words: Sequence[str]) -> None:
    """Raise click's UsageError if the words after a command give an option several values.

    Options that may be repeated and those without a value may stand there several times.
    """
    if isinstance(command, click.Group):
        return  # its words are those of another command
    context = click.Context(command, resilient_parsing=True)
    *_, order = command.make_parser(context).parse_args(args=list(words))
    for option in order:
        if not isinstance(option, click.Option) or option.multiple or option.is_flag:
            continue
        if order.count(option) > 1:
            raise click.UsageError(f"{option.opts[0]} is given twice; give it once.")
