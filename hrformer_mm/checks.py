"""Data that cannot be trained on is told where it is read, before training starts, with its path and a remedy.

All four libraries read data sets through mmengine's `BaseDataset.full_init`, whose own errors are obscure (an empty
folder: "need at least one array to concatenate") or late (a missing label map: in the middle of an epoch).
"""
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset

SAMPLES = 64  # of a data set that are looked at, evenly spread
LAYOUTS = 'hrformer-mm synthesize writes small data sets in the layouts that the configs expect, to compare with'


class DataError(ValueError):
    """A data set that cannot be used; says what is wrong, where, and what to do."""


def explain_data_errors() -> bool:
    """Wrap `BaseDataset.full_init`; returns whether it was not wrapped before."""
    original = BaseDataset.full_init
    if hasattr(original, '__wrapped__'):
        return False

    @wraps(original)
    def full_init(self: BaseDataset) -> None:
        if self._fully_initialized:
            return
        try:
            original(self)
        except (AssertionError, KeyError, OSError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f'{_place(self)} cannot be read: {_reason(self, error)}') from error
        for index in np.linspace(0, len(self) - 1, min(SAMPLES, len(self))).astype(int):
            check_sample(self, self.get_data_info(int(index)))

    BaseDataset.full_init = full_init
    return True


def check_sample(dataset: BaseDataset, sample: dict[str, Any]) -> None:
    """Check that the files of a sample exist and that its labels are classes of the data set.

    Raises:
        DataError: If not.
    """
    labelled = any(type(step).__name__ == 'LoadAnnotations' for step in dataset.pipeline.transforms)
    for key, kind in (('img_path', 'image'), ('seg_map_path', 'label map')):
        path = sample.get(key) if key == 'img_path' or labelled else None
        if isinstance(path, str) and '://' not in path and not Path(path).is_file():
            raise DataError(f'{_place(dataset)} lacks the {kind} {path}. Is its layout the one that '
                            f'{type(dataset).__name__} reads? {LAYOUTS}.')
    classes = len(dataset.metainfo.get('classes') or ())
    label = sample.get('gt_label')
    if classes and isinstance(label, (int, np.integer)) and not 0 <= label < classes:
        raise DataError(f'{_place(dataset)}: {sample.get("img_path")} has label {label}, but there are {classes} '
                        f'classes, 0 to {classes - 1}. Correct the label, or name more classes.')
    if classes and labelled and 'seg_map_path' in sample and not sample.get('label_map'):
        _check_label_map(dataset, sample, classes)


def _check_label_map(dataset: BaseDataset, sample: dict[str, Any], classes: int) -> None:
    from PIL import Image  # as mmseg reads label maps: a palette's indices are the labels
    with Image.open(sample['seg_map_path']) as image:
        labels = np.unique(np.asarray(image))
    ignored = getattr(dataset, 'ignore_index', 255)
    highest = classes - (not sample.get('reduce_zero_label'))  # if zero is background, classes count from 1
    beyond = labels[(labels > highest) & (labels != ignored)]
    if len(beyond):
        raise DataError(
            f'{_place(dataset)}: {sample["seg_map_path"]} has label {beyond[0]}, but its {classes} classes are '
            f'{highest - classes + 1} to {highest}, and {ignored} is ignored. Correct the label map, or '
            'name more classes (metainfo, and num_classes of the head).')


def _place(dataset: BaseDataset) -> str:
    where = {'data_root': dataset.data_root, 'ann_file': dataset.ann_file, **dict(dataset.data_prefix),
             'bbox_file': getattr(dataset, 'bbox_file', None)}
    return f'{type(dataset).__name__} ({", ".join(f"{key}={value}" for key, value in where.items() if value)})'


def _reason(dataset: BaseDataset, error: Exception) -> str:
    boxes = getattr(dataset, 'bbox_file', None)
    if isinstance(error, KeyError) and boxes:
        return (f'{boxes} has boxes of image {error}, which {dataset.ann_file} does not list. Take the boxes of this '
                'split, or bbox_file=None for those of the annotations.')
    if 'at least one array' in str(error):
        return f'it has no samples. Are these folders and files the right ones, and not empty? {LAYOUTS}.'
    return f'{error}. Give the place of the data with data_root (--cfg-options …dataset.data_root=…); {LAYOUTS}.'


explain_data_errors()
