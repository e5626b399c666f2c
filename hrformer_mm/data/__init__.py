"""Synthetic data sets, for training and testing without a download."""

from .synthesize import LAYOUTS, synthesize

__all__ = ['LAYOUTS', 'synthesize']
