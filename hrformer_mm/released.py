"""The table of released weights: who published them, where, and which configs they fit. It imports no torch."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

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
        from .weights.download import cache_folder, cache_path  # imports torch

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
        from .weights.download import fetch

        if self.address:
            return fetch(f'{self.address}#sha256={self.sha256}')
        if not self.path.is_file():
            raise FileNotFoundError(
                f'{self.name} is not at {self.path}, and only a browser can fetch it: ' + self.next_step
            )
        return self.path


@cache
def _read(table: Path) -> dict[str, Released]:
    rows = yaml.safe_load(table.read_text(encoding='utf-8'))
    return {row['name']: Released(**{**row, 'configs': tuple(row['configs'])}) for row in rows}


def released() -> dict[str, Released]:
    """All released weights by name."""
    return _read(TABLE)


def weights_of(config: str) -> Released | None:
    """The weights of a whole model that fit a config, those of an address first; None if none are released.

    Args:
        config (str): The name of a model in the zoo.
    """
    found = [row for row in released().values() if config in row.configs and not row.part]
    return min(found, key=lambda row: not row.address, default=None)
