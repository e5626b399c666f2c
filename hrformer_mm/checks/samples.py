"""The sizes and labels of a sample, which must be consistent."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from mmengine.dataset import BaseDataset

from .coco import Sizes
from .problem import Problem

_BYTE = 255  # the highest label that mmseg keeps
_HEADS = ('decode_head', 'head', 'bbox_head')  # of mmseg, mmpretrain and mmdet


def head_classes(model: Mapping[str, Any]) -> Optional[int]:
    """The number of classes of a model's head, the last one if there are several. None if the config has no number."""
    for name in _HEADS:
        head = model.get(name)
        head = head[-1] if isinstance(head, (list, tuple)) and head else head
        if isinstance(head, Mapping) and isinstance(head.get('num_classes'), int):
            return head['num_classes']
    return None


@dataclass(frozen=True)
class Facts:
    """What a sample must agree with: the number of classes, the ignored label, and sizes by image id."""
    classes: int
    ignored: int
    sizes: Optional[Sizes]

    @classmethod
    def of(cls, dataset: BaseDataset, sizes: Optional[Sizes], most: Optional[int]) -> 'Facts':
        classes = len(dataset.metainfo.get('classes') or ())
        return cls(min(classes, most) if most else classes, getattr(dataset, 'ignore_index', 255), sizes)


def label_problems(sample: Mapping[str, Any], facts: Facts) -> Iterator[Problem]:
    """Problems of an image's label in classification."""
    label, classes = sample.get('gt_label'), facts.classes
    if classes and isinstance(label, (int, np.integer)) and not 0 <= label < classes:
        yield Problem('label beyond classes', str(sample.get('img_path')),
                      f'has label {label}, but there are {classes} classes, 0 to {classes - 1}',
                      'Correct the label, or name more classes')


def image_problems(sample: Mapping[str, Any], facts: Facts) -> Iterator[Problem]:
    """Problems of a loaded image: its size must be the one that its annotations are for."""
    shape = sample.get('ori_shape')
    expected = facts.sizes.get(sample['img_id']) if facts.sizes and 'img_id' in sample else None
    if expected and shape and tuple(shape[:2]) != expected:
        turned = ', or if its EXIF orientation turns it, store it upright' if shape[:2] == expected[::-1] else ''
        yield Problem('image size', str(sample['img_path']),
                      f'is {_size(shape)}, but the annotation file says {_size(expected)}',
                      f'Use the image that was annotated, or scale its boxes and keypoints to this size{turned}')


def label_map_problems(sample: Mapping[str, Any], facts: Facts) -> Iterator[Problem]:
    """Problems of a label map (H, W) that mmseg loaded."""
    labels, path, shape = sample['gt_seg_map'], str(sample['seg_map_path']), sample.get('ori_shape')
    if labels.ndim != 2:
        yield Problem('label map channels', path, f'has {labels.shape[-1]} channels, but a label map has one',
                      'Save the labels themselves, as grey values or indices of a palette, not their colours')
        return
    if shape and labels.shape != tuple(shape[:2]):
        yield Problem('label map size', path, f'is {_size(labels.shape)}, but its image {sample["img_path"]} is '
                      f'{_size(shape)}', 'Pair the image with its own label map; if the image is of another scale, '
                      'resize one of them (label maps by nearest neighbour)')
    deep = _deep_label(path)
    if deep is not None:
        yield Problem('label map depth', path, f'has label {deep} in more than 8 bits, which would be read as '
                      f'{deep & _BYTE}', 'Save 8 bits per pixel: labels are 0 to 255')
        return
    lowest = int(bool(sample.get('reduce_zero_label')))  # 1 if the file counts classes from 1
    beyond = (labels >= facts.classes) & (labels != facts.ignored)
    if facts.classes and beyond.any():
        yield Problem('label beyond classes', path,
                      f'has label {int(labels[beyond].min()) + lowest}, but its {facts.classes} classes are {lowest} '
                      f'to {facts.classes - 1 + lowest}, and {facts.ignored} is ignored',
                      'Correct the label map, or name more classes (metainfo, and num_classes of the head)')


def _deep_label(path: str) -> Optional[int]:
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
