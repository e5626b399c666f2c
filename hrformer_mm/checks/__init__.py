"""Checks of data sets and configs, which report each problem with its file or key and a remedy."""

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
    """Import a name on first use: most modules import torch, which `files` does not need."""
    if name not in _MODULES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'.{_MODULES[name]}', __name__), name)
