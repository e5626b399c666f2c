"""Segmentation: the pixels of each class in all label maps, and the keys that name the ignored label."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.dataset import BaseDataset

from .classification import metrics
from .problem import Problem
from .settings import type_name

_BYTE = 255  # the label that mmseg's reduce_zero_label, padding and metrics ignore by default
_MASKS, _PIXELS = 1000, 3 * 10**8  # read at most of a split before a training, in search of the classes
_SHOWN = 5
# The keys that hold the ignored label of a type, in addition to those that a config gives.
_DEFAULTS = dict(IoUMetric='ignore_index', CityscapesMetric='ignore_index', RandomRotate='seg_pad_val')


def histogram(sample: Mapping[str, Any]) -> np.ndarray | None:
    """The number of pixels of each label (256, ) in a sample that mmseg loaded; None without a label map."""
    labels = sample.get('gt_seg_map')
    if 'reduce_zero_label' not in sample or not isinstance(labels, np.ndarray) or labels.dtype != np.uint8:
        return None
    return cv2.calcHist([labels.reshape(-1, 1)], [0], None, [_BYTE + 1], [0, _BYTE + 1]).ravel().astype(np.int64)


@dataclass
class LabelCount:
    """The pixels of each label in the label maps that were read.

    Args:
        masks (int): How many label maps the data sets have.
        read (int): How many of them were read.
        pixels (np.ndarray): (256, ) pixels of each label, after `reduce_zero_label`.
    """

    masks: int = 0
    read: int = 0
    pixels: np.ndarray = field(default_factory=lambda: np.zeros(_BYTE + 1, dtype=np.int64))

    @classmethod
    def sum(cls, counts: Sequence['LabelCount']) -> 'LabelCount':
        return cls(
            sum(count.masks for count in counts),
            sum(count.read for count in counts),
            sum(count.pixels for count in counts),
        )

    def add(self, pixels: np.ndarray | None) -> None:
        """Add what :func:`histogram` returned."""
        if pixels is not None:
            self.read, self.pixels = self.read + 1, self.pixels + pixels

    def ignored(self, classes: int) -> float:
        """The share of the pixels that are of no class."""
        return self.pixels[classes:].sum() / max(self.pixels.sum(), 1)

    def problem(self, dataset: BaseDataset) -> Problem | None:
        """The classes without a pixel in the label maps of a data set, or None."""
        names = dataset.metainfo.get('classes') or ()
        absent = np.flatnonzero(self.pixels[: len(names)] == 0).tolist()
        if not self.read or not absent:
            return None
        shown = ', '.join(f"{label} '{names[label]}'" for label in absent[:_SHOWN])
        many = f' and {len(absent) - _SHOWN} more' if len(absent) > _SHOWN else ''
        return Problem(
            'absent class',
            str(dataset.data_prefix.get('seg_map_path') or dataset.data_root),
            f'has no pixel of {"class" if len(absent) == 1 else "classes"} {shown}{many} in {self.read} of '
            f'{self.masks} label maps, and {self.ignored(len(names)):.1%} of the pixels are ignored: '
            'nothing can be learned of such a class, and its IoU is nan or 0',
            self._remedy(absent, len(names), bool(getattr(dataset, 'reduce_zero_label', False))),
        )

    def _remedy(self, absent: list[int], classes: int, reduced: bool) -> str:
        if reduced and self.pixels[_BYTE] and absent[-1] == classes - 1:
            return (
                'If the label maps count the classes from 0, set reduce_zero_label=False of the data set: True '
                'reads 0 as ignored, and 1 as class 0'
            )
        if not reduced and self.pixels[_BYTE] and classes - len(absent) == 1:
            labels = ' or '.join(map(str, absent[:_SHOWN]))
            return f'If 255 stands for a class, as in masks of black and white, save {labels} for 255'
        if not reduced and absent == [0]:
            return 'If the label maps count the classes from 1, set reduce_zero_label=True of the data set'
        return 'Correct the label maps, or leave the class out of metainfo and num_classes'


def count_labels(datasets: Iterable[BaseDataset]) -> Iterator[tuple[BaseDataset, LabelCount]]:
    """Count the labels in data sets of one split, those with the same classes together.

    Label maps are read in a random order until every class was seen, at most 1,000 of them and 300 million pixels.
    """
    groups: dict[tuple, list[BaseDataset]] = {}
    for dataset in datasets:
        if hasattr(dataset, 'reduce_zero_label') and dataset.metainfo.get('classes'):
            groups.setdefault(tuple(dataset.metainfo['classes']), []).append(dataset)
    for classes, group in groups.items():
        count = LabelCount(masks=sum(map(len, group)))
        samples = [(dataset, index) for dataset in group for index in range(len(dataset))]
        for position in np.random.default_rng(0).permutation(len(samples))[:_MASKS].tolist():
            dataset, index = samples[position]
            count.add(_load(dataset, index))
            if count.pixels[: len(classes)].all() or count.pixels.sum() > _PIXELS:
                break
        yield group[0], count


def _load(dataset: BaseDataset, index: int) -> np.ndarray | None:
    step = next((step for step in dataset.pipeline.transforms if type(step).__name__ == 'LoadAnnotations'), None)
    sample = dataset.get_data_info(index)
    if step is None or not sample.get('seg_map_path'):
        return None
    try:
        return histogram(step(sample))
    except Exception:  # a bad file is reported where it is loaded for the training
        return None


def ignored_labels(cfg: Config, split: str) -> dict[str, int | None]:
    """The ignored label by the keys that decide it: of the heads in training, otherwise of the metrics."""
    if split == 'train':
        return {f'{key}.ignore_index': head.get('ignore_index', _BYTE) for key, head in _heads(cfg)}
    return {
        key: value
        for name, metric in metrics(cfg, split)
        for key, value in _named(metric, name)
        if key.endswith('.ignore_index')
    }


def ignore_problems(cfg: Config, splits: Iterable[str]) -> Iterator[Problem]:
    """Keys that name another ignored label than the model's first head."""
    heads = dict(_heads(cfg))
    if not heads:
        return
    found = ignored_labels(cfg, 'train')
    first, wanted = next(iter(found.items()))
    for key, head in heads.items():
        for loss in ('loss_decode', 'loss_auxiliary'):
            for index, settings in enumerate(_listed(head.get(loss))):
                found.update(
                    _named(settings, f'{key}.{loss}.{index}' if isinstance(head[loss], list) else f'{key}.{loss}')
                )
    name = 'model.data_preprocessor' if cfg.model.get('data_preprocessor') else 'data_preprocessor'
    preprocessor = cfg.model.get('data_preprocessor') or cfg.get('data_preprocessor') or {}
    if preprocessor.get('size') or preprocessor.get('size_divisor'):
        found[f'{name}.seg_pad_val'] = preprocessor.get('seg_pad_val', _BYTE)
    for split in splits:
        found.update(ignored_labels(cfg, split))
        dataset = (cfg.get(f'{split}_dataloader') or {}).get('dataset') or {}
        found.update(_named(dataset, f'{split}_dataloader.dataset'))
        for index, step in enumerate(dataset.get('pipeline') or ()):
            found.update(_named(step, f'{split}_dataloader.dataset.pipeline.{index}'))
    others = {key: value for key, value in found.items() if value != wanted}
    if others:
        yield Problem(
            'ignore_index',
            first,
            f'is {wanted}, but {_list(others)}',
            f'Set all to one value: {" ".join(f"{key}={wanted}" for key in others)}, or {first} to theirs',
        )


def _heads(cfg: Config) -> Iterator[tuple[str, Mapping[str, Any]]]:
    model = cfg.get('model') or {}
    for name in ('decode_head', 'auxiliary_head') if model.get('decode_head') else ():
        several = isinstance(model.get(name), (list, tuple))
        for index, head in enumerate(_listed(model.get(name))):
            yield f'model.{name}.{index}' if several else f'model.{name}', head


def _named(settings: Mapping[str, Any], key: str) -> Iterator[tuple[str, Any]]:
    """The keys of an object's config that hold an ignored label."""
    default = _DEFAULTS.get(type_name(settings))
    for name in ('ignore_index', 'seg_pad_val'):
        if name in settings or name == default:
            yield f'{key}.{name}', settings.get(name, _BYTE)
    if isinstance(settings.get('pad_val'), Mapping) and 'seg' in settings['pad_val']:
        yield f'{key}.pad_val.seg', settings['pad_val']['seg']


def _listed(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in (value if isinstance(value, (list, tuple)) else [value]) if isinstance(item, Mapping)]


def _list(values: Mapping[str, Any]) -> str:
    return ', '.join(f'{key} is {value}' for key, value in values.items())
