"""Numbers of classes in the config of a classifier, and the classes of its data sets."""

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.dataset import BaseDataset

from .problem import Problem
from .samples import head_classes


def metrics(cfg: Config, split: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The metrics of a split's evaluator that are configs, by their keys."""
    found = cfg.get(f'{split}_evaluator')
    several = isinstance(found, (list, tuple))
    for index, metric in enumerate(found if several else [found]):
        if isinstance(metric, Mapping):
            yield f'{split}_evaluator.{index}' if several else f'{split}_evaluator', metric


def classifier_problems(cfg: Config, splits: tuple[str, ...]) -> Iterator[Problem]:
    """Keys of the config that do not fit `model.head.num_classes`: each would end the training."""
    model = cfg.get('model') or {}
    head, classes = model.get('head'), head_classes(model)
    if not isinstance(head, Mapping) or not classes or not isinstance(head.get('num_classes'), int):
        return
    asked = [(key, metric) for split in splits for key, metric in metrics(cfg, split)]
    if head.get('cal_acc'):
        asked.append(('model.head', head))
    for key, settings in asked:
        topk = settings.get('topk', 1)
        highest = max([topk] if isinstance(topk, int) else topk, default=1)
        if highest > classes:
            remedy = 'model.head.topk=1' if key == 'model.head' else 'val_evaluator.topk=1 test_evaluator.topk=1'
            yield Problem(
                'topk',
                f'{key}.topk',
                f'is {topk}, but model.head.num_classes is {classes}: top-{highest} '
                f'accuracy needs {highest} classes at least',
                f'Set {remedy}',
            )
    preprocessor = model.get('data_preprocessor') or cfg.get('data_preprocessor') or {}
    augments = preprocessor.get('batch_augments') or (model.get('train_cfg') or {}).get('augments')
    number = preprocessor.get('num_classes')
    if 'train' in splits and augments and number not in (None, classes):
        yield Problem(
            'number of classes',
            'data_preprocessor.num_classes',
            f'is {number}, but model.head.num_classes is {classes}: labels could not be mixed',
            f'Set data_preprocessor.num_classes={classes}',
        )


def folder_problems(datasets: Mapping[str, BaseDataset], cfg: Config) -> Iterator[Problem]:
    """Class folders that differ between the splits, or in their number from the model's classes.

    Args:
        datasets (Mapping[str, BaseDataset]): A data set of each split, which was read.
        cfg (Config): The config of the model.
    """
    folders = {split: dataset for split, dataset in datasets.items() if getattr(dataset, 'folder_to_idx', None)}
    for split, dataset in folders.items():
        names = set(dataset.folder_to_idx)
        classes = head_classes(cfg.get('model') or {})
        if split == 'train' and classes and len(names) != classes:
            kind = 'number of classes' if len(names) > classes else 'unused classes'
            yield Problem(
                kind,
                dataset.img_prefix,
                f'has {len(names)} class folders, but model.head.num_classes is {classes}',
                f'Set model.head.num_classes={len(names)} data_preprocessor.num_classes={len(names)}, or add '
                'the folders',
            )
        first = folders.get('train', dataset)
        missing, unknown = set(first.folder_to_idx) - names, names - set(first.folder_to_idx)
        if missing or unknown:
            what = ' and '.join(
                [f'lacks the class folder {_some(missing)}'] * bool(missing)
                + [f'has the class folder {_some(unknown)} in addition'] * bool(unknown)
            )
            yield Problem(
                'class folders',
                dataset.img_prefix,
                f'{what}, compared with {first.img_prefix}: folders are '
                'numbered in alphabetical order, so that the same class has different labels in the two',
                'Make the same class folders in both',
            )


def _some(names: set[str]) -> str:
    shown = sorted(names)
    return ', '.join(shown[:5]) + (f' and {len(shown) - 5} more' if len(shown) > 5 else '')
