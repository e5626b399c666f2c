"""Checks for segmentation: classes without a pixel, and keys that set different ignored labels."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.dataset import BaseDataset

from .problem import Problem, shorten
from .settings import configs, type_name

_BYTE = 255  # the label that mmseg's reduce_zero_label, padding and metrics ignore by default
_MASKS, _PIXELS = 1000, 3 * 10**8  # limits of a split before a training
# Classes whose ignored label has a default: the config need not contain the key.
_DEFAULTS = dict(IoUMetric='ignore_index', CityscapesMetric='ignore_index', RandomRotate='seg_pad_val')


def histogram(sample: Mapping[str, Any]) -> np.ndarray | None:
    """Count the pixels of each label (256, ) in a sample that mmseg loaded. Return None if it has no label map."""
    labels = sample.get('gt_seg_map')
    if 'reduce_zero_label' not in sample or not isinstance(labels, np.ndarray) or labels.dtype != np.uint8:
        return None
    return cv2.calcHist([labels.reshape(-1, 1)], [0], None, [_BYTE + 1], [0, _BYTE + 1]).ravel().astype(np.int64)


@dataclass
class LabelCount:
    """The number of pixels of each label.

    Args:
        masks (int): The number of label maps of the data sets. Default: 0.
        read (int): The number of label maps that were read. Default: 0.
        pixels (np.ndarray): (256, ), the number of pixels of each label, after `reduce_zero_label`. Default: zeros.
    """

    masks: int = 0
    read: int = 0
    pixels: np.ndarray = field(default_factory=lambda: np.zeros(_BYTE + 1, dtype=np.int64))

    @classmethod
    def sum(cls, counts: Sequence['LabelCount']) -> 'LabelCount':
        """Add up the counts of one or more data sets."""
        pixels = np.sum([count.pixels for count in counts], axis=0)
        return cls(sum(count.masks for count in counts), sum(count.read for count in counts), pixels)

    def add(self, pixels: np.ndarray | None) -> None:
        """Add the result of :func:`histogram`."""
        if pixels is not None:
            self.read, self.pixels = self.read + 1, self.pixels + pixels

    def ignored(self, classes: int) -> float:
        """Return the fraction of pixels that belong to no class."""
        return self.pixels[classes:].sum() / max(self.pixels.sum(), 1)

    def problem(self, dataset: BaseDataset) -> Problem | None:
        """Return the problem of classes without a pixel, or None if all classes occur."""
        names = dataset.metainfo.get('classes') or ()
        absent = np.flatnonzero(self.pixels[: len(names)] == 0).tolist()
        if not self.read or not absent:
            return None
        shown = shorten([f"{label} '{names[label]}'" for label in absent])
        return Problem(
            'absent class',
            str(dataset.data_prefix.get('seg_map_path') or dataset.data_root),
            f'has no pixel of {"class" if len(absent) == 1 else "classes"} {shown} in {self.read} of {self.masks} '
            f'label maps, and {self.ignored(len(names)):.1%} of the pixels are ignored: such a class cannot be '
            'learned, and its IoU is nan or 0',
            self._remedy(absent, len(names), bool(getattr(dataset, 'reduce_zero_label', False))),
        )

    def _remedy(self, absent: list[int], classes: int, reduced: bool) -> str:
        if reduced and self.pixels[_BYTE] and absent[-1] == classes - 1:
            return (
                'If the label maps count the classes from 0, set reduce_zero_label=False of the data set: with True, '
                'label 0 is ignored and label 1 is class 0'
            )
        if not reduced and self.pixels[_BYTE] and classes - len(absent) == 1:
            labels = ' or '.join(map(str, absent[:5]))
            return f'If 255 is a class, e.g. in black-and-white masks, save {labels} for 255'
        if not reduced and absent == [0]:
            return 'If the label maps count the classes from 1, set reduce_zero_label=True of the data set'
        return 'Correct the label maps, or remove the class from metainfo and num_classes'


def count_labels(datasets: Iterable[BaseDataset]) -> Iterator[tuple[BaseDataset, LabelCount]]:
    """Count the labels in the data sets of one split, grouped by their classes.

    Label maps are read in random order until each class has occurred, or up to 1,000 label maps or 300 million pixels.

    Args:
        datasets (Iterable[BaseDataset]): The data sets; those without label maps are ignored.

    Yields:
        Tuple[BaseDataset, LabelCount]: The first data set of each group, and the count of the whole group.
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
    except Exception:  # the pipeline reports a bad file
        return None


def ignored_labels(cfg: Config, split: str) -> dict[str, int | None]:
    """Return the ignored label by the keys that set it: those of the heads for training, else those of the metrics."""
    if split == 'train':
        return {f'{key}.ignore_index': head.get('ignore_index', _BYTE) for key, head in _heads(cfg)}
    return {
        key: value
        for name, metric in configs(cfg.get(f'{split}_evaluator'), f'{split}_evaluator')
        for key, value in _named(metric, name)
        if key.endswith('.ignore_index')
    }


def ignore_problems(cfg: Config, splits: Iterable[str]) -> Iterator[Problem]:
    """Find keys that set a different ignored label than the first head of the model."""
    heads = dict(_heads(cfg))
    if not heads:
        return
    found = ignored_labels(cfg, 'train')
    first, wanted = next(iter(found.items()))
    for key, head in heads.items():
        for loss in ('loss_decode', 'loss_auxiliary'):
            for name, settings in configs(head.get(loss), f'{key}.{loss}'):
                found.update(_named(settings, name))
    name = 'model.data_preprocessor' if cfg.model.get('data_preprocessor') else 'data_preprocessor'
    preprocessor = cfg.model.get('data_preprocessor') or cfg.get('data_preprocessor') or {}
    if preprocessor.get('size') or preprocessor.get('size_divisor'):
        found[f'{name}.seg_pad_val'] = preprocessor.get('seg_pad_val', _BYTE)
    for split in splits:
        found.update(ignored_labels(cfg, split))
        dataset = (cfg.get(f'{split}_dataloader') or {}).get('dataset') or {}
        found.update(_named(dataset, f'{split}_dataloader.dataset'))
        for name, step in configs(dataset.get('pipeline'), f'{split}_dataloader.dataset.pipeline'):
            found.update(_named(step, name))
    others = {key: value for key, value in found.items() if value != wanted}
    if others:
        yield Problem(
            'ignore_index',
            first,
            f'is {wanted}, but {", ".join(f"{key} is {value}" for key, value in others.items())}',
            f'Set all to one value: {" ".join(f"{key}={wanted}" for key in others)}, or change {first}',
        )


def _heads(cfg: Config) -> Iterator[tuple[str, Mapping[str, Any]]]:
    model = cfg.get('model') or {}
    for name in ('decode_head', 'auxiliary_head') if model.get('decode_head') else ():
        yield from configs(model.get(name), f'model.{name}')


def _named(settings: Mapping[str, Any], key: str) -> Iterator[tuple[str, Any]]:
    """Yield the keys of a config that set an ignored label, and their values."""
    default = _DEFAULTS.get(type_name(settings))
    for name in ('ignore_index', 'seg_pad_val'):
        if name in settings or name == default:
            yield f'{key}.{name}', settings.get(name, _BYTE)
    if isinstance(settings.get('pad_val'), Mapping) and 'seg' in settings['pad_val']:
        yield f'{key}.pad_val.seg', settings['pad_val']['seg']
