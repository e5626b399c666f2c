"""Released weights by name: the local file of any source."""

import os
from difflib import get_close_matches

from ..released import SCHEME, Released, released, weights_of
from .download import fetch, is_web_address


def find_released(source: str) -> Released | None:
    """The released weights that a source names, `hrformer_mm://NAME` or a bare NAME; None for any other source.

    NAME is that of a row, or of a config that its weights fit. A file of a bare name precedes.

    Raises:
        FileNotFoundError: If there are no weights of a name after `hrformer_mm://`, with names that are close.
    """
    if not source.startswith(SCHEME) and os.path.exists(source):
        return None
    name = source.removeprefix(SCHEME).lower()
    found = released().get(name) or weights_of(name)
    if found is None and source.startswith(SCHEME):
        raise FileNotFoundError(unknown_name(source))
    return found


def unknown_name(source: str) -> str:
    """An error for a source that is no file, with released names that are close."""
    close = get_close_matches(source.removeprefix(SCHEME).lower(), released())
    return f'there is no checkpoint at {source}, and no released weights have this name: ' + (
        f'similar names are {", ".join(close)}' if close else 'hrformer-mm weights lists all names'
    )


def locate(source: str) -> str:
    """The local file of a URL or a name of released weights, which is downloaded if needed; other sources unchanged."""
    if is_web_address(source):
        return str(fetch(source))
    found = find_released(source)
    return source if found is None else str(found.fetch())
