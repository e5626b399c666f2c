"""Write a report of a training or a test from the work folder of mmengine."""

from .reporting import report

__all__ = ['report']
