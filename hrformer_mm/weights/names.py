"""Released weights by name, and the local file of any source of weights."""

import os
from difflib import get_close_matches

from ..released import SCHEME, Released, released, weights_of
from .download import fetch, is_web_address


def find_released(source: str) -> Released | None:
    """Return the released weights named by `hrformer_mm://NAME` or NAME, or None for any other source.

    NAME is the name of released weights, or of a config for which they were trained. An existing file takes precedence
    over NAME without a scheme.

    Raises:
        FileNotFoundError: If the NAME after `hrformer_mm://` is unknown. The message suggests similar names.
    """
    if not source.startswith(SCHEME) and os.path.exists(source):
        return None
    name = source.removeprefix(SCHEME).lower()
    found = released().get(name) or weights_of(name)
    if found is None and source.startswith(SCHEME):
        raise FileNotFoundError(unknown_name(source))
    return found


def unknown_name(source: str) -> str:
    """Return the error message for an unknown source, with similar names of released weights."""
    close = get_close_matches(source.removeprefix(SCHEME).lower(), released())
    return f'there is no checkpoint at {source}, and no released weights have this name: ' + (
        f'similar names are {", ".join(close)}' if close else 'hrformer-mm weights lists all names'
    )


def locate(source: str) -> str:
    """Return the local file of a URL or a name of released weights, downloading it if needed.

    Other sources are returned unchanged.
    """
    if is_web_address(source):
        return str(fetch(source))
    found = find_released(source)
    return source if found is None else str(found.fetch())
