"""From pictures to pictures and JSON."""

from .predicting import Prediction, predict

__all__ = ['Prediction', 'predict']
