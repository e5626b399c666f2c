"""What the commands share."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import click


def bar(items: Iterable, description: str) -> Iterable:
    """Show progress on standard error: standard output is for results."""
    with click.progressbar(items, label=description, file=click.get_text_stream('stderr')) as shown:
        yield from shown


@contextmanager
def errors() -> Iterator[None]:
    """What a user can mend is told in one line, without a traceback."""
    try:
        yield
    except (ImportError, OSError, TypeError, ValueError) as error:
        raise click.ClickException(str(error)) from error
