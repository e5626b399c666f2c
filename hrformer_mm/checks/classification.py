"""Checks of the number of classes in the config of a classifier, and of its class folders."""

from collections.abc import Iterator, Mapping

from mmengine.config import Config
from mmengine.dataset import BaseDataset

from .problem import Problem, shorten
from .samples import head_classes
from .settings import configs


def classifier_problems(cfg: Config, splits: tuple[str, ...]) -> Iterator[Problem]:
    """Find keys of the config that contradict `model.head.num_classes`: each of them would end the training."""
    model = cfg.get('model') or {}
    head, classes = model.get('head'), head_classes(model)
    if not isinstance(head, Mapping) or not classes or not isinstance(head.get('num_classes'), int):
        return
    accuracies = [pair for split in splits for pair in configs(cfg.get(f'{split}_evaluator'), f'{split}_evaluator')]
    if head.get('cal_acc'):
        accuracies.append(('model.head', head))
    for key, settings in accuracies:
        topk = settings.get('topk', 1)
        highest = max([topk] if isinstance(topk, int) else topk, default=1)
        if highest > classes:
            remedy = 'model.head.topk=1' if key == 'model.head' else 'val_evaluator.topk=1 test_evaluator.topk=1'
            yield Problem(
                'topk',
                f'{key}.topk',
                f'is {topk}, but model.head.num_classes is {classes}: top-{highest} accuracy needs at least {highest} '
                'classes',
                f'Set {remedy}',
            )
    preprocessor = model.get('data_preprocessor') or cfg.get('data_preprocessor') or {}
    augments = preprocessor.get('batch_augments') or (model.get('train_cfg') or {}).get('augments')
    number = preprocessor.get('num_classes')
    if 'train' in splits and augments and number not in (None, classes):
        yield Problem(
            'number of classes',
            'data_preprocessor.num_classes',
            f'is {number}, but model.head.num_classes is {classes}: batch augmentations cannot mix the labels',
            f'Set data_preprocessor.num_classes={classes}',
        )


def folder_problems(datasets: Mapping[str, BaseDataset], cfg: Config) -> Iterator[Problem]:
    """Find class folders that differ between the splits, or whose number differs from `model.head.num_classes`.

    Args:
        datasets (Mapping[str, BaseDataset]): One initialized data set of each split.
        cfg (Config): The config of the model.
    """
    folders = {split: dataset for split, dataset in datasets.items() if getattr(dataset, 'folder_to_idx', None)}
    for split, dataset in folders.items():
        names = set(dataset.folder_to_idx)
        classes = head_classes(cfg.get('model') or {})
        if split == 'train' and classes and len(names) != classes:
            yield Problem(
                'number of classes' if len(names) > classes else 'unused classes',
                dataset.img_prefix,
                f'has {len(names)} class folders, but model.head.num_classes is {classes}',
                f'Set model.head.num_classes={len(names)} data_preprocessor.num_classes={len(names)}, or add '
                'the missing folders',
            )
        first = folders.get('train', dataset)
        missing, unknown = set(first.folder_to_idx) - names, names - set(first.folder_to_idx)
        differences = [f'lacks the class folder {shorten(sorted(missing))}'] if missing else []
        differences += [f'has the additional class folder {shorten(sorted(unknown))}'] if unknown else []
        if differences:
            yield Problem(
                'class folders',
                dataset.img_prefix,
                f'{" and ".join(differences)}, compared with {first.img_prefix}: labels are numbered in the '
                'alphabetical order of the folders, so a class has different labels in the two splits',
                'Create the same class folders in both',
            )
