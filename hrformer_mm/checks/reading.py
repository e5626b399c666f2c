"""Data sets that cannot be trained on are told where they are read, before training starts.

All four libraries read data sets through mmengine's `BaseDataset.full_init`, or one in its place, whose own errors are
obscure (an empty folder: "need at least one array to concatenate") or late (a missing label map: in the middle of an
epoch).
"""
import logging
from collections import Counter
from collections.abc import Iterator
from functools import wraps
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset, Compose
from mmengine.logging import print_log

from .coco import FATAL, Sizes, coco_problems, read_coco
from .pipeline import CheckedPipeline
from .problem import DataError

SAMPLES = 64  # of a data set that are looked at before training, evenly spread
LAYOUTS = 'hrformer-mm synthesize writes small data sets in the layouts that the configs expect, to compare with'


def explain_data_errors() -> bool:
    """Wrap `full_init` of all data sets, those yet to be defined too; returns whether it was not wrapped before."""
    if hasattr(BaseDataset.full_init, '__wrapped__'):
        return False
    for cls in (BaseDataset, *_descendants(BaseDataset)):
        _wrap(cls)

    def init_subclass(cls: type, **kwargs: Any) -> None:
        super(BaseDataset, cls).__init_subclass__(**kwargs)
        _wrap(cls)

    BaseDataset.__init_subclass__ = classmethod(init_subclass)
    return True


def _descendants(cls: type) -> Iterator[type]:
    for child in cls.__subclasses__():
        yield child
        yield from _descendants(child)


def _wrap(cls: type) -> None:
    original = cls.__dict__.get('full_init')
    if original is None:
        return

    @wraps(original)
    def full_init(self: BaseDataset) -> None:
        if self._fully_initialized:
            return
        try:
            original(self)
        except (AssertionError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f'{place(self)} cannot be read: {_reason(self, error)}') from error
        if type(self.pipeline) is Compose:  # not where one full_init calls another
            check_at_start(self)

    cls.full_init = full_init


def check_at_start(dataset: BaseDataset) -> None:
    """Check the annotation file and some samples of a data set, and let its pipeline check all that it loads.

    Raises:
        DataError: If something is wrong.
    """
    where, sizes = place(dataset), None
    content = read_coco(dataset.ann_file)
    if content:
        sizes = Sizes.of(content)
        _check_annotations(content, dataset.ann_file, where)
    dataset.pipeline = CheckedPipeline(dataset, where, sizes)
    chosen = np.linspace(0, len(dataset) - 1, min(SAMPLES, len(dataset))).astype(int)
    errors = []
    for index in chosen:
        try:
            dataset.pipeline.load(dataset.get_data_info(int(index)))
        except DataError as error:
            missing = error.problem.kind.startswith('missing')
            layout = f' Is its layout the one that {type(dataset).__name__} reads? {LAYOUTS}.'
            errors.append(DataError(f'{error}{layout if missing else dataset.pipeline.hint}', error.problem))
            if dataset.pipeline.bad is None:
                raise errors[-1] from None
    if errors and len(errors) == len(chosen):  # nothing would be left
        raise errors[0]


def _check_annotations(content: dict[str, Any], path: str, where: str) -> None:
    counts: Counter = Counter()
    for problem in coco_problems(content, path):
        if problem.kind in FATAL:
            raise DataError(f'{where}: {problem}', problem)
        counts[problem.kind] += 1
    if counts:
        print_log(f'{where} has doubtful annotations, of which some are not trained on: '
                  f'{", ".join(f"{kind}: {count}" for kind, count in counts.items())}. hrformer-mm check-data CONFIG '
                  'names them', logger='current', level=logging.WARNING)


def place(dataset: BaseDataset) -> str:
    """The data set, in words: its class, folders and files."""
    where = {'data_root': dataset.data_root, 'ann_file': dataset.ann_file, **dict(dataset.data_prefix),
             'bbox_file': getattr(dataset, 'bbox_file', None)}
    named = ', '.join(f'{key}={value}' for key, value in where.items() if value)
    return type(dataset).__name__ + (f' ({named})' if named else '')


def _reason(dataset: BaseDataset, error: Exception) -> str:
    boxes = getattr(dataset, 'bbox_file', None)
    if isinstance(error, KeyError) and boxes:
        return (f'{boxes} has boxes of image {error}, which {dataset.ann_file} does not list. Take the boxes of this '
                'split, or bbox_file=None for those of the annotations.')
    if 'at least one array' in str(error):
        return f'it has no samples. Are these folders and files the right ones, and not empty? {LAYOUTS}.'
    return f'{error}. Give the place of the data with data_root (--cfg-options …dataset.data_root=…); {LAYOUTS}.'
