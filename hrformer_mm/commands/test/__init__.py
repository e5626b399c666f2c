"""Evaluate exported files."""

from .testing import Row, test

__all__ = ['Row', 'test']
