"""What the commands share."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout

import click

INTERRUPTED = 130  # the exit code of a program that Ctrl-C ended


def bar(items: Iterable, description: str) -> Iterable:
    """Show progress on standard error: standard output is for results."""
    with click.progressbar(items, label=description, file=sys.stderr) as shown:
        yield from shown


def cfg_options(command: Callable) -> Callable:
    """The option --cfg-options of a command; its argument `options` is for :func:`.config.parse_options`."""
    return click.option(
        '--cfg-options',
        'options',
        multiple=True,
        metavar='KEY=VALUE',
        help='A change of the config, as for mim train; may be repeated.',
    )(command)


@contextmanager
def errors() -> Iterator[None]:
    """Report errors that a user can fix, and Ctrl-C, in one line without a traceback; what libraries log goes to
    standard error."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except KeyboardInterrupt as interrupt:
        click.echo(f'Interrupted. {interrupt}'.strip(), err=True)
        sys.exit(INTERRUPTED)
    except (ImportError, OSError, TypeError, ValueError) as error:
        raise click.ClickException(str(error)) from error
