"""Everything that is wrong with the data sets of a config, found before a training."""

from .checking import Report, check_data

__all__ = ['Report', 'check_data']
