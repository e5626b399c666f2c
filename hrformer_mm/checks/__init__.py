"""Data that cannot be trained on is reported with its path and a remedy: as a whole, and sample by sample."""

from .pipeline import CheckedPipeline
from .problem import DataError, Problem
from .reading import check_start, describe, explain, read_data_set
from .samples import head_classes

__all__ = ['CheckedPipeline', 'DataError', 'Problem', 'check_start', 'describe', 'explain', 'head_classes',
           'read_data_set']
