"""From the name of a config and a checkpoint to a model with its weights."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Optional

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope, init_default_scope
from torch import nn

from ..messages import filter_log
from ..model_index import config_path
from ..weights import load_weights, read_tensors

TASKS = dict(mmseg='segmentation', mmpose='pose', mmpretrain='classification')
ALL_TASKS = dict(TASKS, mmdet='detection')


def read_config(name: str, tasks: Mapping[str, str] = TASKS) -> Config:
    """Read the config of a model.

    Args:
        name (str): See :func:`..model_index.config_path`.
        tasks (Mapping[str, str]): The libraries that the model may be of. Default: mmseg, mmpose and mmpretrain.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If its model is of another library.
    """
    filter_log()
    path = config_path(name)
    cfg = Config.fromfile(path)
    if cfg.get('default_scope') not in tasks or 'model' not in cfg:
        raise ValueError(f"{path} has no model of {', '.join(tasks)}: default_scope is {cfg.get('default_scope')!r}")
    return cfg


def find_device(name: Optional[str] = None) -> str:
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
    """Build a config's model in evaluation mode, without any checkpoint."""
    init_default_scope(cfg.default_scope)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        return MODELS.build(cfg.model).eval()


def load_model(cfg: Config, checkpoint: str) -> nn.Module:
    """Build a config's model in evaluation mode, with the weights of a checkpoint of any known layout.

    Raises:
        FileNotFoundError, ValueError: If there is no such checkpoint, or if it does not fit.
    """
    state = read_tensors(checkpoint)
    model = build_model(cfg)
    load_weights(model, state, checkpoint)
    return model


def dataset_meta(cfg: Config) -> dict[str, Any]:
    """Names and colours as the data set's class knows them, without its files."""
    dataset = cfg.test_dataloader.dataset
    if cfg.default_scope == 'mmpose':
        from mmpose.apis.inference import dataset_meta_from_config
        return dataset_meta_from_config(cfg, 'test') or {}
    if dataset.get('metainfo'):
        return dict(dataset.metainfo)
    registry = import_module(f'{cfg.default_scope}.registry').DATASETS
    return getattr(registry.get(dataset.type), 'METAINFO', {})
