"""Reading a data set, and checking it before a training starts.

The libraries' own errors are obscure (an empty folder: "need at least one array to concatenate") or late (a missing
label map: in the middle of an epoch).
"""
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Optional

import numpy as np
from mmengine.dataset import BaseDataset, Compose
from mmengine.logging import print_log

from .coco import FATAL, Sizes, coco_problems, read_coco
from .contents import why_empty
from .lists import FATAL_ENTRIES, list_problems
from .pipeline import CheckedPipeline
from .problem import DataError, Problem

SAMPLES = 64  # checked of each data set before a training, evenly spread
ROOT = ('--cfg-options train_dataloader.dataset.data_root=… val_dataloader.dataset.data_root=… '
        'test_dataloader.dataset.data_root=… (of poses also val_evaluator.ann_file=… test_evaluator.ann_file=…; '
        'data_root=… alone has no effect)')
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


def check_start(dataset: BaseDataset, most: Optional[int] = None,
                ignored: Optional[Mapping[str, Optional[int]]] = None) -> bool:
    """Check the annotation file and some samples of a data set, and let its pipeline check all that it loads.

    Args:
        dataset (BaseDataset): A data set.
        most (int, optional): The number of the model's classes, if it may be lower than the data set's.
        ignored (Mapping, optional): The ignored label by the keys that decide it. Default: the data set's.

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
        _report(coco_problems(content, dataset.ann_file), dataset, FATAL)
    _report(list_problems(dataset, most), dataset, FATAL_ENTRIES)
    pipeline = dataset.pipeline = CheckedPipeline(dataset, describe(dataset), sizes, most, ignored=ignored)
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


def _report(problems: Iterable[Problem], dataset: BaseDataset, fatal: Collection[str]) -> None:
    counts: Counter = Counter()
    for problem in problems:
        if problem.kind in fatal:
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
    boxes, entry = getattr(dataset, 'bbox_file', None), next(list_problems(dataset), None)
    empty = isinstance(error, FileNotFoundError) or 'at least one array' in str(error) or 'Found 0 files' in str(error)
    found = why_empty(dataset) if empty else None
    if isinstance(error, KeyError) and boxes:
        reason = (f'{boxes} has boxes of image {error}, which {dataset.ann_file} does not list. Take the boxes of this '
                  'split, or bbox_file=None for those of the annotations.')
    elif entry:
        reason = str(entry)
    elif 'at least one array' in str(error):
        reason = (f'it has no samples. {found}.' if found else 'it has no samples. Are these folders and files the '
                  f'right ones, and not empty? {LAYOUTS}.')
    else:
        reason = f'{found or error}. Set the folder of the data with {ROOT}; {LAYOUTS}.'
    return DataError(f'{describe(dataset)} cannot be read: {reason}')
