"""Checks that the image size and labels of a sample are consistent with its data set."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset

from .coco import Sizes
from .files import is_local, orientation
from .problem import Problem

_BYTE = 255  # the highest label that mmseg keeps
UPRIGHT = (
    'save it upright (PIL.ImageOps.exif_transpose) with matching labels or, if its labels fit the stored pixels, set '
    "color_type='color_ignore_orientation' of the step that loads images"
)
_HEADS = ('decode_head', 'head', 'bbox_head')  # of mmseg, mmpretrain and mmdet


def head_classes(model: Mapping[str, Any]) -> int | None:
    """Return `num_classes` of the head of a model (the last one of several), or None if its config has none."""
    for name in _HEADS:
        head = model.get(name)
        head = head[-1] if isinstance(head, (list, tuple)) and head else head
        if isinstance(head, Mapping) and isinstance(head.get('num_classes'), int):
            return head['num_classes']
    return None


@dataclass(frozen=True)
class Facts:
    """The facts that samples must be consistent with.

    Args:
        classes (int): The number of classes, or 0 if it is unknown.
        ignored (Mapping): The ignored label by the keys that set it.
        sizes (Sizes, optional): The image sizes of the annotation file.
    """

    classes: int
    ignored: Mapping[str, int | None]
    sizes: Sizes | None

    @classmethod
    def of(
        cls,
        dataset: BaseDataset,
        sizes: Sizes | None,
        most: int | None,
        ignored: Mapping[str, int | None] | None = None,
    ) -> 'Facts':
        classes = [number for number in (len(dataset.metainfo.get('classes') or ()), most) if number]
        return cls(min(classes, default=0), ignored or {'ignore_index': getattr(dataset, 'ignore_index', _BYTE)}, sizes)


def label_problems(sample: Mapping[str, Any], facts: Facts) -> Iterator[Problem]:
    """Find an invalid class label of an image."""
    label, classes = sample.get('gt_label'), facts.classes
    if classes and isinstance(label, (int, np.integer)) and not 0 <= label < classes:
        yield Problem(
            'label beyond classes',
            str(sample.get('img_path')),
            f'has label {label}, but there are {classes} classes, 0 to {classes - 1}',
            'Correct the label, or add the class to metainfo and to model.head.num_classes',
        )


def image_problems(sample: Mapping[str, Any], facts: Facts) -> Iterator[Problem]:
    """Find a loaded image whose size differs from that in the annotation file."""
    shape = sample.get('ori_shape')
    expected = facts.sizes.get(sample['img_id']) if facts.sizes and 'img_id' in sample else None
    if expected and shape and tuple(shape[:2]) != expected:
        rotated = f', or {UPRIGHT}' if shape[:2] == expected[::-1] else ''
        yield Problem(
            'image size',
            str(sample['img_path']),
            f'is {_size(shape)}, but {_size(expected)} in the annotation file',
            f'Use the image that was annotated, or scale its boxes and keypoints to this size{rotated}',
        )


def orientation_problem(sample: Mapping[str, Any], facts: Facts) -> Problem | None:
    """Find a loaded image whose labels may not fit its EXIF orientation.

    The size shows whether the labels are rotated too, except for half turns, reflections and square images.
    """
    shape = sample.get('ori_shape')
    sized = bool(sample.get('seg_map_path') or facts.sizes and facts.sizes.get(sample.get('img_id')))
    if not sized and not {'bbox', 'keypoints', 'instances'} & set(sample):
        return None  # e.g. for classification
    turn = orientation(sample['img_path'])
    if turn == 1 or turn > 4 and sized and shape and shape[0] != shape[1]:
        return None
    return Problem(
        'turned image',
        str(sample['img_path']),
        f'has the EXIF orientation {turn}, which is applied when the image is loaded; its labels fit only if they were '
        'made for the rotated image',
        f'To be safe, {UPRIGHT}',
    )


def label_map_problems(sample: Mapping[str, Any], facts: Facts) -> Iterator[Problem]:
    """Find problems of a label map (H, W) that mmseg loaded."""
    labels, path, shape = sample['gt_seg_map'], str(sample['seg_map_path']), sample.get('ori_shape')
    if labels.ndim != 2:
        yield Problem(
            'label map channels',
            path,
            f'has {labels.shape[-1]} channels, but a label map has one',
            'Save the labels as gray values or palette indices, not as colors (LoadAnnotations reads palette indices '
            "with imdecode_backend='pillow')",
        )
        return
    if shape and labels.shape != tuple(shape[:2]):
        image = sample['img_path']
        turn = orientation(image) if labels.shape == tuple(shape[1::-1]) and is_local(image) else 1
        yield Problem(
            'label map size',
            path,
            f'is {_size(labels.shape)}, but its image {image} is {_size(shape)}'
            + (f', rotated by its EXIF orientation {turn}' if turn > 1 else ''),
            f'For this image, {UPRIGHT}'
            if turn > 1
            else 'Use the label map of this image, or resize one of the two if they differ in scale (label maps with '
            'nearest-neighbor interpolation)',
        )
    deep = _deep_label(path)
    if deep is not None:
        yield Problem(
            'label map depth',
            path,
            f'has label {deep}, which needs more than 8 bits and would be read as {deep & _BYTE}',
            'Save 8 bits per pixel, with labels from 0 to 255',
        )
        return
    beyond, ignored = labels >= facts.classes, set(facts.ignored.values())
    if len(ignored) == 1:
        beyond &= labels != next(iter(ignored))
    if facts.classes and beyond.any():
        yield _beyond(np.unique(labels[beyond]), path, bool(sample.get('reduce_zero_label')), facts)


def _beyond(labels: np.ndarray, path: str, reduced: bool, facts: Facts) -> Problem:
    """Return the problem of sorted labels that are neither classes nor ignored."""
    label, lowest = int(labels[0]), int(reduced)  # reduced: classes start at 1 in the file
    classes = f'{facts.classes} classes are {lowest} to {facts.classes - 1 + lowest}'
    keys = {key: ignored for key, ignored in facts.ignored.items() if ignored != label}
    if label == _BYTE or len(keys) < len(facts.ignored):  # probably an ignored label
        named = ', '.join(f'{key} is {ignored}' for key, ignored in keys.items())
        what = f'has label {label}' + (' (0 or 255 in the file, with reduce_zero_label)' if reduced else '')
        return Problem(
            'ignore_index',
            path,
            f'{what}, but its {classes}, and {named}',
            f'Set {" ".join(f"{key}={label}" for key in keys)} if it is to be ignored, or correct the label map',
        )
    held = ', '.join(str(number + lowest) for number in labels[:5].tolist())
    remedy = 'Correct the label map, or add the class to metainfo and to num_classes of the head'
    if label == facts.classes and len(labels) == 1 and not reduced:
        remedy += '; if the label maps count the classes from 1, set reduce_zero_label=True of the data set'
    if path.lower().endswith(('.jpg', '.jpeg')):
        remedy += '; JPEG files change labels: save PNG'
    return Problem(
        'label beyond classes',
        path,
        f'has label {held}, but its {classes}, and {next(iter(facts.ignored.values()))} is ignored',
        remedy,
    )


def _deep_label(path: str) -> int | None:
    """Return the highest label of a local file if it exceeds 8 bits. Only the header of an 8-bit file is read."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            if not image.mode.startswith(('I', 'F')):
                return None
            highest = int(np.asarray(image).max())
    except OSError:  # not a local file: mmengine decoded it
        return None
    return highest if highest > _BYTE else None


def _size(shape: tuple[int, ...]) -> str:
    return f'{shape[1]}x{shape[0]}'
