"""Reading a data set, and checking it before a training starts.

The libraries' own errors are obscure (an empty folder: "need at least one array to concatenate") or late (a missing
label map: in the middle of an epoch).
"""
import logging
from collections import Counter
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset, Compose
from mmengine.logging import print_log

from .coco import FATAL, Sizes, coco_problems, read_coco
from .pipeline import CheckedPipeline
from .problem import DataError

SAMPLES = 64  # checked of each data set before a training, evenly spread
LAYOUTS = 'hrformer-mm synthesize writes small data sets in the layouts that the configs expect, to compare with'


def read_data_set(dataset: BaseDataset) -> None:
    """Read the annotations of a data set.

    Raises:
        DataError: If they cannot be read, with a remedy.
    """
    try:
        dataset.full_init()
    except (AssertionError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise unreadable(dataset, error) from error


def check_start(dataset: BaseDataset) -> bool:
    """Check the annotation file and some samples of a data set, and let its pipeline check all that it loads.

    Returns:
        bool: Whether the pipeline was replaced. Data sets that were checked before, and pipelines of a class other
            than mmengine's, stay as they are.

    Raises:
        DataError: If a file is missing, damaged or inconsistent with the others.
    """
    read_data_set(dataset)
    if type(dataset.pipeline) is not Compose:
        return False
    content, sizes = read_coco(dataset.ann_file), None
    if content:
        sizes = Sizes.of(content)
        _check_annotations(content, dataset)
    pipeline = dataset.pipeline = CheckedPipeline(dataset, describe(dataset), sizes)
    chosen = np.linspace(0, len(dataset) - 1, min(SAMPLES, len(dataset))).astype(int).tolist()
    errors = []
    for index in chosen:
        try:
            pipeline.load(dataset.get_data_info(index))
        except DataError as error:
            hint = pipeline.hint
            if error.problem.kind.startswith('missing'):
                hint = f' Is its layout the one that {type(dataset).__name__} reads? {LAYOUTS}.'
            errors.append(DataError(f'{error}{hint}', error.problem))
            if pipeline.bad is None or len(errors) == len(chosen):  # errors, or nothing would be left
                raise errors[0] from None
    return True


def _check_annotations(content: dict[str, Any], dataset: BaseDataset) -> None:
    counts: Counter = Counter()
    for problem in coco_problems(content, dataset.ann_file):
        if problem.kind in FATAL:
            raise DataError(f'{describe(dataset)}: {problem}', problem)
        counts[problem.kind] += 1
    if counts:
        print_log(f'{describe(dataset)} has doubtful annotations, of which some are not trained on: '
                  f'{", ".join(f"{kind}: {count}" for kind, count in counts.items())}. hrformer-mm check-data CONFIG '
                  'names them', logger='current', level=logging.WARNING)


def describe(dataset: BaseDataset) -> str:
    """A data set's class, folders and files."""
    where = {'data_root': dataset.data_root, 'ann_file': dataset.ann_file, **dict(dataset.data_prefix),
             'bbox_file': getattr(dataset, 'bbox_file', None)}
    named = ', '.join(f'{key}={value}' for key, value in where.items() if value)
    return type(dataset).__name__ + (f' ({named})' if named else '')


def unreadable(dataset: BaseDataset, error: Exception) -> DataError:
    """The error of a data set whose own reading raised `error`."""
    boxes = getattr(dataset, 'bbox_file', None)
    if isinstance(error, KeyError) and boxes:
        reason = (f'{boxes} has boxes of image {error}, which {dataset.ann_file} does not list. Take the boxes of this '
                  'split, or bbox_file=None for those of the annotations.')
    elif 'at least one array' in str(error):
        reason = f'it has no samples. Are these folders and files the right ones, and not empty? {LAYOUTS}.'
    else:
        reason = f'{error}. Set the folder of the data with data_root (--cfg-options …dataset.data_root=…); {LAYOUTS}.'
    return DataError(f'{describe(dataset)} cannot be read: {reason}')
