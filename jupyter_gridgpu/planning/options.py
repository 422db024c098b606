"""The options of a scan as words of a command line: for the commands, the magic and the form."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args, get_origin

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from jupyter_gridgpu import backends
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.scan import AUTO
from jupyter_gridgpu.planning import profile_files
from jupyter_gridgpu.planning.declaration import (
    NOT_FOR_A_REPLAY,
    NOT_FOR_AN_IMPORT,
    Options,
    wording_of,
)
from jupyter_gridgpu.planning.profiles import expanded

Function = Callable[..., Any]
Decorator = Callable[[Function], Function]


def add_options(function: Function, decorators: Sequence[Decorator]) -> Function:
    """Return the click command with these options, which its help lists in this order."""
    # Decorators apply from the last to the first, as they do above a function.
    for decorator in reversed(decorators):
        function = decorator(function)
    return function


def scan_options(function: Function) -> Function:
    """Give a click command all options of a scan."""
    return add_options(function, _option_decorators())


def backend_options(function: Function) -> Function:
    """Give a click command the options of a scan that a replay takes: where and how jobs run."""
    return add_options(function, _option_decorators(left_out=NOT_FOR_A_REPLAY))


def import_options(function: Function) -> Function:
    """Give a click command the options of a scan whose points are those of another tool."""
    return add_options(function, _option_decorators(left_out=NOT_FOR_AN_IMPORT))


def before_sending_options(function: Function) -> Function:
    """Give a click command the options of what is done before a scan is sent: --dry-run, ..."""
    return add_options(function, _BEFORE_SENDING)


_BEFORE_SENDING: tuple[Decorator, ...] = (
    click.option("--dry-run", is_flag=True, help="Say what would run, and start nothing."),
    click.option(
        "--rehearse",
        is_flag=True,
        help="First run one variant for about an epoch here; send the scan if that went well.",
    ),
    click.option("--there", is_flag=True, help="Rehearse as one job of the backend, not here."),
    click.option(
        "--save",
        metavar="FILE.yaml",
        help="Write notebook, space and options into a file, which `gridgpu run` takes.",
    ),
    click.option(
        "--overwrite",
        is_flag=True,
        help="With --save: change a file that describes another scan; its comments stay.",
    ),
)


def _option_decorators(left_out: Sequence[str] = ()) -> list[Decorator]:
    """Return the click options of `Options`, in the order of its fields."""
    decorators: list[Decorator] = []
    for declared in dataclasses.fields(Options):
        if declared.name in left_out:
            continue
        wording = wording_of(declared)
        settings = _click_settings(declared)
        decorators.append(
            click.option(
                *wording.words,
                declared.name,
                metavar=wording.metavar,
                help=wording.help_text,
                **settings,
            )
        )
        if wording.old_word:
            # click cannot hide one word of an option. So the old word is a second, hidden option
            # that has the same name and default.
            decorators.append(
                click.option(wording.old_word, declared.name, hidden=True, **settings)
            )
    return decorators


def _click_settings(declared: dataclasses.Field[Any]) -> dict[str, Any]:
    """Return type, default and number of values of an option, as click's keywords."""
    if declared.type is bool:
        return {"is_flag": True}
    kinds = get_args(declared.type) or (declared.type,)
    # An option that may be repeated may also have one value in Python.
    several = any(get_origin(kind) is tuple for kind in (declared.type, *kinds))
    settings: dict[str, Any] = {"type": int, "multiple": several}
    if str in kinds:
        # If both a text such as 40GB and a number are allowed, the text is parsed later.
        settings["type"] = str
    if declared.name == "on":
        settings["shell_complete"] = _complete_places
    if declared.default not in (None, ()):
        settings.update(default=declared.default, show_default=True)
    return settings


def _complete_places(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the backends and profiles that begin with what stands in the shell."""
    helps = {**dict.fromkeys([*backends.names(), AUTO], ""), **profile_files.titles()}
    return [
        CompletionItem(name, help=text)
        for name, text in helps.items()
        if name.startswith(incomplete)
    ]


@click.command(
    "%%gridscan",
    add_help_option=False,
    epilog="`%gridscan NOTEBOOK` alone opens a form that writes the cell.",
)
@click.argument("notebook")
@click.option("--form", is_flag=True, help="Open the form on this cell, and start nothing.")
@before_sending_options
@scan_options
def magic_options(**values: Any) -> dict[str, Any]:
    """Run NOTEBOOK with the values that the lines of the cell give to its parameters."""
    names = {declared.name for declared in dataclasses.fields(Options)}
    others = {name: value for name, value in values.items() if name not in names}
    return {**others, **given({name: value for name, value in values.items() if name in names})}


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those options that the words of the click command have, which is running now.

    Comparing values with defaults is not enough: the user may write an option with its default, to
    change what a profile or the origin of a replay has.
    """
    context = click.get_current_context()
    return {
        name: value
        for name, value in options.items()
        if context.get_parameter_source(name) != ParameterSource.DEFAULT
    }


def read_options_line(words: Sequence[str]) -> dict[str, Any]:
    """Return the values that the words after the magic give.

    The result has the notebook, what `before_sending_options` adds, and each option that the words
    give, by its name.
    Raises UsageError for words that click does not understand.
    """
    try:
        values = magic_options.main(args=list(words), prog_name="%%gridscan", standalone_mode=False)
    except click.ClickException as error:
        raise UsageError(error.format_message()) from None
    assert isinstance(values, dict)
    return values


def option_list() -> list[click.Option]:
    """Return the click options of a scan, without the words of earlier versions."""
    names = {declared.name for declared in dataclasses.fields(Options)}
    return [
        parameter
        for parameter in magic_options.params
        if isinstance(parameter, click.Option) and parameter.name in names and not parameter.hidden
    ]


def words_for(texts: Mapping[str, Any]) -> list[str]:
    """Return the words of a command line that give options these values.

    `texts` holds values by the names of the options. A default needs no words.
    """
    words: list[str] = []
    for option in option_list():
        value = texts.get(option.name or "")
        if not is_given(value) or str(value) == str(option.default):
            continue
        word = option.opts[0]
        if option.is_flag:
            words.append(word)
        elif option.multiple and value:
            for each in (value,) if isinstance(value, str) else value:
                words += [word, str(each)]
        else:
            words += [word, str(value)]
    return words


def is_given(value: object) -> bool:
    """Return whether a value is one that a user gave. The number 0 is one."""
    # `0 in (None, "", False)` is true, since 0 equals False.
    return value is not None and value is not False and value not in ("", (), [])


def help_text() -> str:
    """Return what `%gridscan --help` prints."""
    with click.Context(magic_options, info_name="%%gridscan", max_content_width=100) as context:
        return magic_options.get_help(context)


def to_options(values: Mapping[str, Any]) -> Options:
    """Return Options made of the values that a user gave, by name, and of the profile among them.

    Values of other names are ignored. Raises UsageError for a profile that is not known.
    """
    names = [declared.name for declared in dataclasses.fields(Options)]
    return expanded({name: values[name] for name in names if name in values})
