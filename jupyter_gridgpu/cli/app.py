"""The command `gridgpu`: the group of all verbs, and how mistakes are printed."""

from __future__ import annotations

import io
import sys

import click

from jupyter_gridgpu import __version__
from jupyter_gridgpu.cli.following import INTERRUPTED_EXIT_CODE
from jupyter_gridgpu.cli.output import echo
from jupyter_gridgpu.cli.verbs import VERBS
from jupyter_gridgpu.errors import GridGpuError
from jupyter_gridgpu.store.access import sentence_of

USAGE_EXIT_CODE = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="gridgpu")
def gridgpu() -> None:
    """Hyper-parameter scans of training notebooks. SCAN is a name, an id or a folder."""


for verb in VERBS:
    gridgpu.add_command(verb)


def main() -> None:
    """Run the command line and leave with its exit code.

    Every mistake is one sentence on stderr, and has its exit code.
    """
    _let_print_all()
    try:
        # click's own handling of errors would print more than one sentence.
        sys.exit(gridgpu.main(standalone_mode=False) or 0)
    except click.ClickException as error:
        if _is_help(error):
            error.show()
        else:
            echo(f"gridgpu: {error.format_message()}", err=True)
        sys.exit(USAGE_EXIT_CODE)
    except GridGpuError as error:
        echo(f"gridgpu: {error}", err=True)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED_EXIT_CODE)
    except BrokenPipeError:
        # The reader of the output has ended, as in `gridgpu list | head`.
        sys.exit(0)
    except OSError as error:
        # A path that somebody has closed, a disk that is full or away: no fault of ours.
        refusal = sentence_of(error)
        echo(f"gridgpu: {refusal}", err=True)
        sys.exit(refusal.exit_code)


def _let_print_all() -> None:
    """Let stdout take every text: a path may have bytes that are no UTF-8, as lone surrogates."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _is_help(error: click.ClickException) -> bool:
    """Return whether the text of an error is the help of a group that was called without a verb.

    click 8.2 has a class of its own for this error. Earlier versions do not have the class, since
    they print the help themselves. So the text is compared.
    """
    if not isinstance(error, click.UsageError) or error.ctx is None:
        return False
    return error.message == error.ctx.get_help()
