"""Initialization of a data set, and its checks before a training starts.

The errors of the libraries are obscure ("need at least one array to concatenate" for an empty folder) or late (in the
middle of an epoch for a missing label map).
"""

import logging
import traceback
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset, Compose
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from .coco import Sizes, broken, coco_problems, read_coco
from .contents import why_empty
from .detections import detection_problems
from .evaluators import area_problems
from .fields import field_problems, lacking
from .keypoints import count_problems, keypoints_in_file, metainfo_problems, raw_metainfo_problem
from .lists import FATAL_ENTRIES, list_problems
from .pipeline import CheckedPipeline
from .problem import FATAL, DataError, Problem

SAMPLES = 64  # evenly spread samples of each data set are checked before a training
ROOT = (
    '--cfg-options train_dataloader.dataset.data_root=… val_dataloader.dataset.data_root=… '
    'test_dataloader.dataset.data_root=… (for keypoints also val_evaluator.ann_file=… test_evaluator.ann_file=…; '
    'data_root=… alone has no effect)'
)
LAYOUTS = 'For comparison, hrformer-mm synthesize writes small data sets in the layouts that the configs expect'


def read_data_set(dataset: BaseDataset) -> None:
    """Initialize a data set, which reads its annotations.

    Raises:
        DataError: If the annotations cannot be read.
    """
    try:
        dataset.full_init()
    except (AssertionError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise unreadable(dataset, error) from error


def check_start(dataset: BaseDataset, most: int | None = None, ignored: Mapping[str, int | None] | None = None) -> bool:
    """Check the annotation file and some samples of a data set, and replace its pipeline by a `CheckedPipeline`.

    Args:
        dataset (BaseDataset): A data set.
        most (int, optional): The number of classes of the model, if it may be lower than that of the data set.
            Default: None.
        ignored (Mapping, optional): The ignored label by the keys that set it. Default: that of the data set.

    Returns:
        bool: Whether the pipeline was replaced. A pipeline that is not an instance of mmengine's `Compose` itself,
            for example one that was replaced before, is unchanged.

    Raises:
        DataError: If a file is missing, damaged or inconsistent with the others.
    """
    read_data_set(dataset)
    if type(dataset.pipeline) is not Compose:
        return False
    content, sizes = read_coco(dataset.ann_file), None
    refuse(metainfo_problems(dataset), describe(dataset))
    if content:
        sizes = Sizes.of(content)
        refuse(annotation_problems(content, dataset), describe(dataset))
        refuse(count_problems(content, dataset), describe(dataset))
    refuse(list_problems(dataset, most), describe(dataset), FATAL_ENTRIES)
    pipeline = dataset.pipeline = CheckedPipeline(dataset, describe(dataset), sizes, most, ignored=ignored)
    chosen = np.linspace(0, len(dataset) - 1, min(SAMPLES, len(dataset))).astype(int).tolist()
    errors = []
    for index in chosen:
        try:
            pipeline.load(dataset.get_data_info(index))
        except DataError as error:
            hint = pipeline.hint
            if error.problem and error.problem.kind.startswith('missing'):
                hint = f' Check that the data set has the layout that {type(dataset).__name__} reads. {LAYOUTS}.'
            errors.append(DataError(f'{error}{hint}', error.problem))
            if pipeline.bad is None or len(errors) == len(chosen):  # errors, or no sample would be left
                raise errors[0] from None
    return True


def annotation_problems(content: dict[str, Any], dataset: BaseDataset) -> Iterator[Problem]:
    """Find all problems in the annotation file of a data set, and in its file of detected boxes."""
    yield from coco_problems(content, dataset.ann_file, keypoints_in_file(dataset))
    yield from detection_problems(getattr(dataset, 'bbox_file', None), content, dataset.ann_file)
    if any(base.__module__.startswith('mmdet.') for base in type(dataset).__mro__) and content.get('annotations'):
        # mmdet drops annotations whose area is not above 0.
        yield from area_problems(content, dataset.ann_file, None)


def refuse(problems: Iterable[Problem], where: str, fatal: Collection[str] = FATAL) -> None:
    """Raise an error for a problem of a fatal kind, and log a warning that counts problems of other kinds.

    Raises:
        DataError: If the kind of a problem is in `fatal`.
    """
    first: dict[str, Problem] = {}
    counts: Counter = Counter()
    for problem in problems:
        first.setdefault(problem.kind, problem)
        counts[problem.kind] += 1
    for kind, problem in first.items():
        if kind in fatal:
            others = counts[kind] - 1
            more = f' {others} more are of this kind: hrformer-mm check-data CONFIG lists them.' if others else ''
            raise DataError(f'{where}: {problem}{more}', problem)
    if counts:
        print_log(
            f'{where} has questionable annotations, some of which are not trained on: '
            f'{", ".join(f"{kind}: {count}" for kind, count in counts.items())}; the first: '
            f'{next(iter(first.values()))} hrformer-mm check-data CONFIG lists them',
            logger='current',
            level=logging.WARNING,
        )


def describe(dataset: BaseDataset) -> str:
    """Describe a data set by its class, folders and files."""
    where = {
        'data_root': dataset.data_root,
        'ann_file': dataset.ann_file,
        **dict(dataset.data_prefix),
        'bbox_file': getattr(dataset, 'bbox_file', None),
    }
    named = ', '.join(f'{key}={value}' for key, value in where.items() if value)
    return type(dataset).__name__ + (f' ({named})' if named else '')


def unreadable(dataset: BaseDataset, error: Exception) -> DataError:
    """Return the error to raise for a data set whose initialization raised `error`."""
    entry = next(list_problems(dataset), None)
    problem = broken(dataset.ann_file) or _culprit(dataset, error)
    empty = isinstance(error, FileNotFoundError) or 'at least one array' in str(error) or 'Found 0 files' in str(error)
    found = why_empty(dataset) if empty else None
    if problem or entry:
        reason = str(problem or entry)
    elif 'at least one array' in str(error):
        found = found or f'Check that these folders and files are the right ones and not empty. {LAYOUTS}'
        reason = f'it has no samples. {found}.'
    else:
        reason = f'{found or error}. Set the folder of the data with {ROOT}. {LAYOUTS}.'
    return DataError(f'{describe(dataset)} cannot be read: {reason}', problem)


def _culprit(dataset: BaseDataset, error: Exception) -> Problem | None:
    """Return the most likely problem of the annotation files that made the reader raise `error`, or None."""
    content = read_coco(dataset.ann_file)
    if not content or not isinstance(error, (AssertionError, AttributeError, LookupError, TypeError, ValueError)):
        return None
    detections = list(detection_problems(getattr(dataset, 'bbox_file', None), content, dataset.ann_file))
    if detections:
        return next((problem for problem in detections if problem.kind in FATAL), detections[0])
    found = lacking(content, dataset.ann_file, error.args[0]) if isinstance(error, KeyError) else None
    reasons = ('bad box', 'bad keypoints', 'number of keypoints', 'image size')
    return (
        found
        or next(field_problems(content, dataset.ann_file), None)
        or next((problem for problem in annotation_problems(content, dataset) if problem.kind in reasons), None)
    )


def explain(error: Exception) -> DataError | None:
    """Explain an error by the data set, metainfo or metric that was being built when it was raised.

    A runner builds these before it calls hooks.

    Returns:
        DataError, optional: The explanation, or None if no such object was being built.
    """
    found = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        owner, values = frame.f_locals.get('self'), frame.f_locals
        if frame.f_code.co_name == 'parse_pose_metainfo':
            metainfo, where = values['metainfo'], values.get('cfg_file', 'dataset_info')
            reason = None if 'from_file' in metainfo else raw_metainfo_problem(metainfo)
            found = DataError(f'metainfo ({where}) cannot be read: {reason or error}'.rstrip('.') + '.')
        elif frame.f_code.co_name == 'full_init' and isinstance(owner, BaseDataset):
            found = unreadable(owner, error)
        elif frame.f_code.co_name == '__init__' and isinstance(owner, BaseMetric) and values.get('ann_file'):
            path = values['ann_file']
            problem = broken(path)
            if isinstance(error, KeyError):
                problem = lacking(read_coco(path) or {}, path, error.args[0])
            if problem or isinstance(error, (AssertionError, OSError)):
                found = DataError(
                    f'ann_file of {type(owner).__name__} (val_evaluator or test_evaluator) cannot be '
                    f'read: {problem or error}',
                    problem,
                )
    return found
