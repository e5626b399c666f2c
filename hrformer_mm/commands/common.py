"""Helpers that the commands share."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout

import click

Progress = Callable[[Iterable, str], Iterable]  # wraps an iterable, and shows the text
INTERRUPTED = 130  # exit code after Ctrl-C


def bar(items: Iterable, description: str) -> Iterable:
    """Iterate with a progress bar on standard error; standard output is reserved for results."""
    with click.progressbar(items, label=description, file=sys.stderr) as shown:
        yield from shown


def silent(items: Iterable, description: str) -> Iterable:
    """Iterate without a progress bar."""
    return items


def cfg_options(command: Callable) -> Callable:
    """Add the option --cfg-options; :func:`.config.parse_options` parses the argument `options`."""
    return click.option(
        '--cfg-options',
        'options',
        multiple=True,
        metavar='KEY=VALUE',
        help='Override a value of the config, as mim train does. Repeatable.',
    )(command)


@contextmanager
def errors() -> Iterator[None]:
    """Report Ctrl-C and errors that a user can fix in one line without a traceback; redirect logs to standard error."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except KeyboardInterrupt as interrupt:
        click.echo(f'Interrupted. {interrupt}'.strip(), err=True)
        sys.exit(INTERRUPTED)
    except (ImportError, OSError, TypeError, ValueError) as error:
        raise click.ClickException(str(error)) from error
