"""From the name of a config and a checkpoint to a model with its weights."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope, init_default_scope
from torch import nn

from ..weights import find_tensors, load_weights, read_checkpoint
from .config import load_config

TASKS = dict(mmseg='segmentation', mmpose='pose', mmpretrain='classification')
ALL_TASKS = dict(TASKS, mmdet='detection')


def read_config(name: str, tasks: Mapping[str, str] = TASKS, options: Mapping[str, Any] | None = None) -> Config:
    """Read the config of a model.

    Args:
        name, options: See :func:`.config.load_config`.
        tasks (Mapping[str, str]): The libraries that the model may be of. Default: mmseg, mmpose and mmpretrain.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it cannot be read, or its model is of another library.
    """
    cfg = load_config(name, options)
    if cfg.get('default_scope') not in tasks or 'model' not in cfg:
        raise ValueError(
            f'{cfg.filename} has no model of {", ".join(tasks)}: default_scope is {cfg.get("default_scope")!r}'
        )
    return cfg


def find_device(name: str | None = None) -> str:
    """The device of that name; by default the first GPU, or the CPU.

    Raises:
        ValueError: If it cannot be used.
    """
    name = name or ('cuda:0' if torch.cuda.is_available() else 'cpu')
    try:
        torch.zeros(1, device=name)
    except (AssertionError, RuntimeError) as error:
        raise ValueError(f'the device {name} cannot be used: {str(error).splitlines()[0]}') from None
    return name


def build_model(cfg: Config) -> nn.Module:
    """Build a config's model in evaluation mode, without any checkpoint: its attribute `dataset_meta` is {}.

    Raises:
        ValueError: If it cannot be built.
    """
    model = dict(cfg.model)
    if cfg.get('data_preprocessor'):  # mmpretrain keeps it outside of the model
        model.setdefault('data_preprocessor', cfg.data_preprocessor)
    init_default_scope(cfg.default_scope)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        try:
            built = MODELS.build(model).eval()
        except (AssertionError, AttributeError, KeyError) as error:  # the config is wrong
            raise ValueError(f'{cfg.filename}: the model cannot be built: {error}') from error
    built.dataset_meta = {}
    return built


def load_model(cfg: Config, checkpoint: str) -> nn.Module:
    """Build a config's model in evaluation mode, with the weights of a checkpoint of any known layout.

    Its attribute `dataset_meta` is what the checkpoint says about the data set it was trained on: {} if nothing.

    Raises:
        FileNotFoundError, ValueError: If there is no such checkpoint, or if it does not fit.
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
    """The data set in a data loader, 'train', 'val' or 'test', inside of wrappers; {} if there is none."""
    dataset = (cfg.get(f'{split}_dataloader') or {}).get('dataset') or {}
    while 'pipeline' not in dataset and dataset.get('dataset'):
        dataset = dataset['dataset']
    return dataset


def dataset_meta(cfg: Config) -> dict[str, Any]:
    """Names and colours as the data set's class knows them, without its files."""
    dataset = find_dataset(cfg, 'test')
    if cfg.default_scope == 'mmpose':
        from mmpose.apis.inference import dataset_meta_from_config

        return dataset_meta_from_config(cfg, 'test') or {}
    if dataset.get('metainfo'):
        return dict(dataset['metainfo'])
    registry = import_module(f'{cfg.default_scope}.registry').DATASETS
    return getattr(registry.get(dataset.get('type', '')), 'METAINFO', {})
