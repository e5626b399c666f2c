"""A page about a training or a test, from the folder that mmengine leaves."""

from .reporting import report

__all__ = ['report']
