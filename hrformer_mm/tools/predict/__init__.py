"""From pictures to pictures and JSON."""

from .run import Prediction, predict

__all__ = ['Prediction', 'predict']
