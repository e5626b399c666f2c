"""Find the problems in the data sets of a config before training."""

from .checking import Report, check_data

__all__ = ['Report', 'check_data']
