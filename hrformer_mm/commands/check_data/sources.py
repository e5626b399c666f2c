"""Find and build the data sets of a config."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS, DefaultScope

from ...checks import explain
from ...checks.settings import type_name

SPLITS = ('train', 'val', 'test')


def find_datasets(cfg: Config, splits: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the configs of all data sets, also those in wrappers, by their splits, for example 'val, test'.

    Raises:
        ValueError: If the config has no data loader for a requested split, or none at all.
    """
    for split in splits:
        if not cfg.get(f'{split}_dataloader'):
            raise ValueError(f'{cfg.filename} has no {split}_dataloader: choose other splits')
    found: list[tuple[dict[str, Any], list[str]]] = []
    for split in splits or SPLITS:
        loader = cfg.get(f'{split}_dataloader')
        for leaf in _leaves(loader.dataset) if loader else ():
            same = next((names for known, names in found if known == leaf), None)
            if same is None:
                found.append((leaf, [split]))
            elif split not in same:
                same.append(split)
    if not found:
        raise ValueError(f'{cfg.filename} has no data loader with a dataset')
    grouped: dict[str, list[dict[str, Any]]] = {}
    for leaf, names in found:
        grouped.setdefault(', '.join(names), []).append(leaf)
    return grouped


def _leaves(dataset: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    inside = dataset.get('datasets') or ([dataset['dataset']] if dataset.get('dataset') else None)
    if inside is None:
        yield dict(dataset)
        return
    for child in inside:
        for leaf in _leaves(child):
            steps = list(leaf.get('pipeline') or ())
            # mmpose's CombinedDataset loads files itself; the data sets in wrappers that mix images load their own.
            loaded = any(type_name(step).startswith('LoadImage') for step in steps)
            yield leaf if loaded else {**leaf, 'pipeline': steps + list(dataset.get('pipeline') or ())}


def build_unread(cfg: Config, dataset: Mapping[str, Any]) -> BaseDataset:
    """Build a data set without reading its annotations.

    Raises:
        ValueError: If the data set cannot be built, or is not a BaseDataset of mmengine.
    """
    try:
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmengine')):
            built = DATASETS.build({**dataset, 'lazy_init': True})
    except (AssertionError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:  # a wrong config
        raise explain(error) or ValueError(
            f'{cfg.filename}: the data set {dataset.get("type")} cannot be built: {error}'
        ) from error
    if not isinstance(built, BaseDataset):
        raise ValueError(f'{type(built).__name__} is not a BaseDataset of mmengine: it cannot be checked')
    return built
