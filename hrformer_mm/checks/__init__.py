"""Data that cannot be trained on is reported with its path and a remedy: as a whole, and sample by sample."""

from importlib import import_module
from typing import Any

from .problem import DataError, Problem

__all__ = [
    'CheckedPipeline',
    'DataError',
    'Problem',
    'check_start',
    'describe',
    'explain',
    'head_classes',
    'read_data_set',
]

_MODULES = dict(
    CheckedPipeline='pipeline',
    check_start='reading',
    describe='reading',
    explain='reading',
    read_data_set='reading',
    head_classes='samples',
)


def __getattr__(name: str) -> Any:
    """Import a name when it is used: most modules import torch, but `files` does not."""
    if name not in _MODULES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'.{_MODULES[name]}', __name__), name)
