"""Data sets that are generated, for trying out training and testing without any download."""

from .synthesize import LAYOUTS, synthesize

__all__ = ['LAYOUTS', 'synthesize']
