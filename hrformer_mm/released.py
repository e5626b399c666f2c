"""Table of released weights with their publishers, addresses and configs. This module does not import torch."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

SCHEME = 'hrformer_mm://'
TABLE = Path(__file__).with_name('released.yml')


@dataclass(frozen=True)
class Released:
    """Published weights: a row of released.yml, which describes the fields."""

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
        """Path of the local file: the downloaded file, or the output of `hrformer-mm convert FILE hrformer_mm://NAME`."""
        from .weights.download import cache_folder, cache_path  # imports torch

        return cache_path(self.address) if self.address else cache_folder() / 'hrformer_mm' / f'{self.name}.pth'

    @property
    def next_step(self) -> str:
        """Instructions for weights that only a browser can download."""
        return f'open {self.link} in a browser, then: hrformer-mm convert FILE {SCHEME}{self.name}'

    def fetch(self) -> Path:
        """Return the path of the local file, downloading it if needed.

        Raises:
            FileNotFoundError: If only a browser can download the file. The message contains :attr:`next_step`.
            OSError, ValueError: See :func:`hrformer_mm.weights.fetch`.
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
    """Return all released weights by name."""
    return _read(TABLE)


def weights_of(config: str) -> Released | None:
    """Return released weights of a whole model for a config, preferably with an address, or None.

    Args:
        config (str): Name of a model in the zoo.
    """
    found = [row for row in released().values() if config in row.configs and not row.part]
    return min(found, key=lambda row: not row.address, default=None)
