"""Released weights by name: where they are published, where they lie, and the local file of any source."""

import os
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Optional

import yaml

from .download import cache_folder, cache_path, fetch, is_web_address

SCHEME = 'hrformer_mm://'
TABLE = Path(__file__).with_name('released.yml')


@dataclass(frozen=True)
class Released:
    """Weights that someone has published, as a row of released.yml, which describes the fields."""
    name: str
    publisher: str
    licence: str
    configs: tuple[str, ...]
    address: str = ''
    sha256: str = ''
    link: str = ''
    scores: str = ''
    part: str = ''

    @property
    def path(self) -> Path:
        """The local file: that of the address, or what `hrformer-mm convert FILE hrformer_mm://NAME` writes."""
        return cache_path(self.address) if self.address else cache_folder() / 'hrformer_mm' / f'{self.name}.pth'

    @property
    def next_step(self) -> str:
        """What to do to get weights that only a browser can fetch."""
        return f'open {self.link} in a browser, then: hrformer-mm convert FILE {SCHEME}{self.name}'

    def fetch(self) -> Path:
        """The local file, downloaded first if it is not there.

        Raises:
            FileNotFoundError: If only a browser can fetch it, with what to do.
            OSError, ValueError: As :func:`fetch`.
        """
        if self.address:
            return fetch(f'{self.address}#sha256={self.sha256}')
        if not self.path.is_file():
            raise FileNotFoundError(f'{self.name} is not at {self.path}, and only a browser can fetch it: '
                                    + self.next_step)
        return self.path


@cache
def _read(table: Path) -> dict[str, Released]:
    rows = yaml.safe_load(table.read_text(encoding='utf-8'))
    return {row['name']: Released(**{**row, 'configs': tuple(row['configs'])}) for row in rows}


def released() -> dict[str, Released]:
    """All released weights by name."""
    return _read(TABLE)


def weights_of(config: str) -> Optional[Released]:
    """The weights of a whole model that fit a config, those of an address first; None if none are released.

    Args:
        config (str): The name of a model in the zoo.
    """
    found = [row for row in released().values() if config in row.configs and not row.part]
    return min(found, key=lambda row: not row.address, default=None)


def find_released(source: str) -> Optional[Released]:
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
    return (f'there is no checkpoint at {source}, and no released weights have this name: '
            + (f'similar names are {", ".join(close)}' if close else 'hrformer-mm weights lists all names'))


def locate(source: str) -> str:
    """The local file of a URL or a name of released weights, which is downloaded if needed; other sources unchanged."""
    if is_web_address(source):
        return str(fetch(source))
    found = find_released(source)
    return source if found is None else str(found.fetch())
