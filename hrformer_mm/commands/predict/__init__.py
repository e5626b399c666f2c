"""Predict pictures and videos: drawings of the results, and JSON."""

from typing import Any

from .running import Prediction

__all__ = ['Prediction', 'predict']


def __getattr__(name: str) -> Any:
    """Import `predict` on first use: it requires torch, which exported files do not."""
    if name != 'predict':
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from .predicting import predict

    return predict
