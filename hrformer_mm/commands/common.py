"""What the commands share."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout

import click


def bar(items: Iterable, description: str) -> Iterable:
    """Show progress on standard error: standard output is for results."""
    with click.progressbar(items, label=description, file=sys.stderr) as shown:
        yield from shown


@contextmanager
def errors() -> Iterator[None]:
    """Report errors that a user can fix in one line, without a traceback; what libraries log goes to standard error."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except (ImportError, OSError, TypeError, ValueError) as error:
        raise click.ClickException(str(error)) from error
