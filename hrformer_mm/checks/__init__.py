"""Data that cannot be trained on is told with its path and a remedy: where it is read, and sample by sample."""

from .coco import coco_problems, read_coco
from .heads import head_classes
from .pipeline import CheckedPipeline
from .problem import DataError, Problem
from .reading import check_at_start, explain_data_errors, place

__all__ = ['CheckedPipeline', 'DataError', 'Problem', 'check_at_start', 'coco_problems', 'explain_data_errors',
           'head_classes', 'place', 'read_coco']

explain_data_errors()
