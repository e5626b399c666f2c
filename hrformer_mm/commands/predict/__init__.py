"""From pictures to pictures and JSON."""

from typing import Any

from .running import Prediction

__all__ = ['Prediction', 'predict']


def __getattr__(name: str) -> Any:
    """Import `predict` when it is used: it needs torch, which exported files do without."""
    if name != 'predict':
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from .predicting import predict

    return predict
