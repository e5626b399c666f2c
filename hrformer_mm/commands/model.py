"""Build models from configs and checkpoints."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope, init_default_scope

from ..weights import find_tensors, load_weights, read_checkpoint
from .config import load_config

TASKS = dict(mmseg='segmentation', mmpose='pose', mmpretrain='classification')
ALL_TASKS = dict(TASKS, mmdet='detection')


def read_config(name: str, tasks: Mapping[str, str] = TASKS, options: Mapping[str, Any] | None = None) -> Config:
    """Read the config of a model.

    Args:
        name, options: See :func:`.config.load_config`.
        tasks (Mapping[str, str]): The allowed libraries. Default: mmseg, mmpose and mmpretrain.

    Raises:
        FileNotFoundError: If the config does not exist.
        ValueError: If the config cannot be read, or its model belongs to another library.
    """
    cfg = load_config(name, options)
    if cfg.get('default_scope') not in tasks or 'model' not in cfg:
        raise ValueError(
            f'{cfg.filename} has no model of {", ".join(tasks)}: default_scope is {cfg.get("default_scope")!r}'
        )
    return cfg


def find_device(name: str | None = None) -> str:
    """Return the name of a usable device. Default: the first GPU, or the CPU.

    Raises:
        ValueError: If the device cannot be used.
    """
    name = name or ('cuda:0' if torch.cuda.is_available() else 'cpu')
    try:
        torch.zeros(1, device=name)
    except (AssertionError, RuntimeError) as error:
        raise ValueError(f'the device {name} cannot be used: {str(error).splitlines()[0]}') from None
    return name


def build_model(cfg: Config) -> Any:
    """Build the model of a config in evaluation mode, without a checkpoint. Its attribute `dataset_meta` is {}.

    Raises:
        ValueError: If the model cannot be built.
    """
    model = dict(cfg.model)
    if cfg.get('data_preprocessor'):  # mmpretrain's configs define it outside of the model
        model.setdefault('data_preprocessor', cfg.data_preprocessor)
    init_default_scope(cfg.default_scope)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        try:
            built = MODELS.build(model).eval()
        except (AssertionError, AttributeError, KeyError) as error:  # the config is wrong
            raise ValueError(f'{cfg.filename}: the model cannot be built: {error}') from error
    built.dataset_meta = {}
    return built


def load_model(cfg: Config, checkpoint: str) -> Any:
    """Build the model of a config in evaluation mode, and load a checkpoint of any known layout.

    The attribute `dataset_meta` of the model holds the checkpoint's metadata of the training data, or {}.

    Raises:
        FileNotFoundError, ValueError: If the checkpoint does not exist or does not fit.
    """
    content = read_checkpoint(checkpoint)
    state = find_tensors(content, checkpoint)
    model = build_model(cfg)
    load_weights(model, state, checkpoint)
    about = content.get('meta')
    if isinstance(about, Mapping):
        model.dataset_meta = dict(about.get('dataset_meta') or {})
    return model


def find_dataset(cfg: Config, split: str) -> Mapping[str, Any]:
    """Return the data set of the loader for 'train', 'val' or 'test', without wrappers; {} if it is missing."""
    dataset = (cfg.get(f'{split}_dataloader') or {}).get('dataset') or {}
    while 'pipeline' not in dataset and dataset.get('dataset'):
        dataset = dataset['dataset']
    return dataset


def find_pipeline(cfg: Config) -> Sequence[Any]:
    """Return the test pipeline.

    Raises:
        ValueError: If the config has no test pipeline.
    """
    steps = find_dataset(cfg, 'test').get('pipeline')
    if not steps:
        raise ValueError(
            f'{cfg.filename} has no test_dataloader.dataset.pipeline, which prepares the pictures: use the config that '
            'the training dumped into its work folder'
        )
    return steps


def dataset_meta(cfg: Config) -> dict[str, Any]:
    """Return the names and colors that the class of the test data defines, without reading files."""
    dataset = find_dataset(cfg, 'test')
    if cfg.default_scope == 'mmpose':
        from mmpose.apis.inference import dataset_meta_from_config

        return dataset_meta_from_config(cfg, 'test') or {}
    if dataset.get('metainfo'):
        return dict(dataset['metainfo'])
    registry = import_module(f'{cfg.default_scope}.registry').DATASETS
    return getattr(registry.get(dataset.get('type', '')), 'METAINFO', {})


def describe_classes(cfg: Config, model: Any, count: int) -> tuple[list[str], list[list[int]]]:
    """Return names and RGB colors of `count` classes.

    They come from the checkpoint or the data set, whichever describes `count` classes. Otherwise, the names are
    'class 0' and so on, and the colors are random.
    """

    def find(key: str) -> Any:
        found = (meta.get(key) or () for meta in (model.dataset_meta, dataset_meta(cfg)))
        return next((values for values in found if len(values) == count), None)

    names = find('classes') or [f'class {i}' for i in range(count)]
    palette = find('palette') or np.random.default_rng(0).integers(0, 255, (count, 3))
    return list(map(str, names)), np.asarray(palette).tolist()
