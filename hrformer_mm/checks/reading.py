"""Reading a data set, and checking it before a training starts.

The libraries' own errors are obscure (an empty folder: "need at least one array to concatenate") or late (a missing
label map: in the middle of an epoch).
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

SAMPLES = 64  # checked of each data set before a training, evenly spread
ROOT = (
    '--cfg-options train_dataloader.dataset.data_root=… val_dataloader.dataset.data_root=… '
    'test_dataloader.dataset.data_root=… (of poses also val_evaluator.ann_file=… test_evaluator.ann_file=…; '
    'data_root=… alone has no effect)'
)
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


def check_start(dataset: BaseDataset, most: int | None = None, ignored: Mapping[str, int | None] | None = None) -> bool:
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
            if error.problem.kind.startswith('missing'):
                hint = f' Is its layout the one that {type(dataset).__name__} reads? {LAYOUTS}.'
            errors.append(DataError(f'{error}{hint}', error.problem))
            if pipeline.bad is None or len(errors) == len(chosen):  # errors, or nothing would be left
                raise errors[0] from None
    return True


def annotation_problems(content: dict[str, Any], dataset: BaseDataset) -> Iterator[Problem]:
    """All that is wrong in the annotation file of a data set, and in its file of detected boxes."""
    yield from coco_problems(content, dataset.ann_file, keypoints_in_file(dataset))
    yield from detection_problems(getattr(dataset, 'bbox_file', None), content, dataset.ann_file)
    if any(base.__module__.startswith('mmdet.') for base in type(dataset).__mro__) and content.get('annotations'):
        # It leaves out those whose area is not above 0.
        yield from area_problems(content, dataset.ann_file, None)


def refuse(problems: Iterable[Problem], where: str, fatal: Collection[str] = FATAL) -> None:
    """Raise for a problem of a kind that is fatal, and warn of the others, with their numbers.

    Raises:
        DataError: If a problem is fatal.
    """
    first: dict[str, Problem] = {}
    counts: Counter = Counter()
    for problem in problems:
        first.setdefault(problem.kind, problem)
        counts[problem.kind] += 1
    for kind, problem in first.items():
        if kind in fatal:
            others = counts[kind] - 1
            more = f' {others} more are of this kind: hrformer-mm check-data CONFIG names them.' if others else ''
            raise DataError(f'{where}: {problem}{more}', problem)
    if counts:
        print_log(
            f'{where} has doubtful annotations, of which some are not trained on: '
            f'{", ".join(f"{kind}: {count}" for kind, count in counts.items())}; the first: '
            f'{next(iter(first.values()))} hrformer-mm check-data CONFIG names them',
            logger='current',
            level=logging.WARNING,
        )


def describe(dataset: BaseDataset) -> str:
    """A data set's class, folders and files."""
    where = {
        'data_root': dataset.data_root,
        'ann_file': dataset.ann_file,
        **dict(dataset.data_prefix),
        'bbox_file': getattr(dataset, 'bbox_file', None),
    }
    named = ', '.join(f'{key}={value}' for key, value in where.items() if value)
    return type(dataset).__name__ + (f' ({named})' if named else '')


def unreadable(dataset: BaseDataset, error: Exception) -> DataError:
    """The error of a data set whose own reading raised `error`."""
    entry = next(list_problems(dataset), None)
    problem = broken(dataset.ann_file) or _culprit(dataset, error)
    empty = isinstance(error, FileNotFoundError) or 'at least one array' in str(error) or 'Found 0 files' in str(error)
    found = why_empty(dataset) if empty else None
    if problem or entry:
        reason = str(problem or entry)
    elif 'at least one array' in str(error):
        reason = (
            f'it has no samples. {found}.'
            if found
            else f'it has no samples. Are these folders and files the right ones, and not empty? {LAYOUTS}.'
        )
    else:
        reason = f'{found or error}. Set the folder of the data with {ROOT}; {LAYOUTS}.'
    return DataError(f'{describe(dataset)} cannot be read: {reason}', problem)


def _culprit(dataset: BaseDataset, error: Exception) -> Problem | None:
    """The entry of a data set's files that made its reader raise `error`, as far as it can be told."""
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
    """The error of the data set, metainfo or metric that was being built when `error` was raised; None if none was.

    A runner builds them before hooks are called.
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
