"""The sizes and labels of a sample, which must be consistent."""

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
    'save it upright (PIL.ImageOps.exif_transpose) with labels to match, or if they are for the file as it is '
    "stored, set color_type='color_ignore_orientation' of the step that loads images"
)
_HEADS = ('decode_head', 'head', 'bbox_head')  # of mmseg, mmpretrain and mmdet


def head_classes(model: Mapping[str, Any]) -> int | None:
    """The number of classes of a model's head, the last one if there are several. None if the config has no number."""
    for name in _HEADS:
        head = model.get(name)
        head = head[-1] if isinstance(head, (list, tuple)) and head else head
        if isinstance(head, Mapping) and isinstance(head.get('num_classes'), int):
            return head['num_classes']
    return None


@dataclass(frozen=True)
class Facts:
    """What a sample must agree with: the number of classes, the ignored label by its keys, and sizes by image id."""

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
    """Problems of an image's label in classification."""
    label, classes = sample.get('gt_label'), facts.classes
    if classes and isinstance(label, (int, np.integer)) and not 0 <= label < classes:
        yield Problem(
            'label beyond classes',
            str(sample.get('img_path')),
            f'has label {label}, but there are {classes} classes, 0 to {classes - 1}',
            'Correct the label, or name more classes (metainfo, and model.head.num_classes)',
        )


def image_problems(sample: Mapping[str, Any], facts: Facts) -> Iterator[Problem]:
    """Problems of a loaded image: its size must be the one that its annotations are for."""
    shape = sample.get('ori_shape')
    expected = facts.sizes.get(sample['img_id']) if facts.sizes and 'img_id' in sample else None
    if expected and shape and tuple(shape[:2]) != expected:
        turned = f', or {UPRIGHT}' if shape[:2] == expected[::-1] else ''
        yield Problem(
            'image size',
            str(sample['img_path']),
            f'is {_size(shape)}, but the annotation file says {_size(expected)}',
            f'Use the image that was annotated, or scale its boxes and keypoints to this size{turned}',
        )


def orientation_problem(sample: Mapping[str, Any], facts: Facts) -> Problem | None:
    """The problem of a loaded image that its EXIF orientation turned, where no size tells whether its labels are turned
    as well: of half turns and reflections, and of squares. None if there is no such doubt."""
    shape = sample.get('ori_shape')
    sized = bool(sample.get('seg_map_path') or facts.sizes and facts.sizes.get(sample.get('img_id')))
    if not sized and not {'bbox', 'keypoints', 'instances'} & set(sample):
        return None  # for example of classification
    turn = orientation(sample['img_path'])
    if turn == 1 or turn > 4 and sized and shape and shape[0] != shape[1]:
        return None
    return Problem(
        'turned image',
        str(sample['img_path']),
        f'has the EXIF orientation {turn}, by which the image is turned when it is loaded; its labels fit '
        'only if they were made for the turned image',
        f'To be sure, {UPRIGHT}',
    )


def label_map_problems(sample: Mapping[str, Any], facts: Facts) -> Iterator[Problem]:
    """Problems of a label map (H, W) that mmseg loaded."""
    labels, path, shape = sample['gt_seg_map'], str(sample['seg_map_path']), sample.get('ori_shape')
    if labels.ndim != 2:
        yield Problem(
            'label map channels',
            path,
            f'has {labels.shape[-1]} channels, but a label map has one',
            'Save the labels themselves, as grey values or indices of a palette, not their colours (of a '
            "palette, imdecode_backend='pillow' of LoadAnnotations reads the indices)",
        )
        return
    if shape and labels.shape != tuple(shape[:2]):
        image = sample['img_path']
        turn = orientation(image) if labels.shape == tuple(shape[1::-1]) and is_local(image) else 1
        yield Problem(
            'label map size',
            path,
            f'is {_size(labels.shape)}, but its image {image} is {_size(shape)}'
            + (f', turned by its EXIF orientation {turn}' if turn > 1 else ''),
            f'For this image, {UPRIGHT}'
            if turn > 1
            else 'Pair the image with its own label map; if the image is of another scale, resize one of them '
            '(label maps by nearest neighbour)',
        )
    deep = _deep_label(path)
    if deep is not None:
        yield Problem(
            'label map depth',
            path,
            f'has label {deep} in more than 8 bits, which would be read as {deep & _BYTE}',
            'Save 8 bits per pixel: labels are 0 to 255',
        )
        return
    beyond, ignored = labels >= facts.classes, set(facts.ignored.values())
    if len(ignored) == 1:
        beyond &= labels != next(iter(ignored))
    if facts.classes and beyond.any():
        yield _beyond(np.unique(labels[beyond]), path, bool(sample.get('reduce_zero_label')), facts)


def _beyond(labels: np.ndarray, path: str, reduced: bool, facts: Facts) -> Problem:
    """The problem of labels that are neither classes nor ignored, the lowest first."""
    label, lowest = int(labels[0]), int(reduced)  # reduced: the file counts the classes from 1
    classes = f'{facts.classes} classes are {lowest} to {facts.classes - 1 + lowest}'
    keys = {key: ignored for key, ignored in facts.ignored.items() if ignored != label}
    if label == _BYTE or len(keys) < len(facts.ignored):  # it is to be ignored
        named = ', '.join(f'{key} is {ignored}' for key, ignored in keys.items())
        what = f'has label {label}' + (' (0 or 255 in the file, by reduce_zero_label)' if reduced else '')
        return Problem(
            'ignore_index',
            path,
            f'{what}, but its {classes}, and {named}',
            f'Set {" ".join(f"{key}={label}" for key in keys)} if it is to be ignored, or correct the label map',
        )
    held = ', '.join(str(number + lowest) for number in labels[:5].tolist())
    remedy = 'Correct the label map, or name more classes (metainfo, and num_classes of the head)'
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
    """The highest label of a local file, if it needs more than 8 bits. Of files of 8 bits only the header is read."""
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
