"""From the name of a config and a checkpoint to a model with its weights."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Optional

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope, init_default_scope
from torch import nn

from ..weights.check import check_state
from ..weights.io import read_tensors
from ..model_index import config_path

TASKS = dict(mmseg='segmentation', mmpose='pose', mmpretrain='classification')
ALL_TASKS = dict(TASKS, mmdet='detection')
# Weights with one entry for each class or keypoint, and what in a config sets their number.
_OUTPUTS = (('decode_head.conv_seg.bias', 'model.decode_head.num_classes', 'classes'),
            ('head.final_layer.bias', 'model.head.out_channels', 'keypoints'),
            ('head.fc.bias', 'model.head.num_classes', 'classes'))


def read_config(name: str, tasks: Mapping[str, str] = TASKS) -> Config:
    """Read the config of a model.

    Args:
        name (str): See :func:`..model_index.config_path`.
        tasks (Mapping[str, str]): The libraries that the model may be of. Default: mmseg, mmpose and mmpretrain.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If its model is of another library.
    """
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
    """Build a config's model in evaluation mode, with the weights of a checkpoint.

    Raises:
        FileNotFoundError, ValueError: If there is no such checkpoint, or if it does not fit.
    """
    state = read_tensors(checkpoint)
    model = build_model(cfg)
    check_fit(checkpoint, state, model.state_dict(), ALL_TASKS[cfg.default_scope])
    model.load_state_dict(state, strict=False)
    return model


def check_fit(checkpoint: str, state: Mapping[str, torch.Tensor], own: Mapping[str, torch.Tensor], task: str) -> None:
    """Compare a checkpoint with a model's state.

    Raises:
        ValueError: If the checkpoint is of another task, of another number of classes, or of another model.
    """
    for name, key, things in _OUTPUTS:
        if name in state and name in own and len(state[name]) != len(own[name]):
            raise ValueError(f'{checkpoint} has {len(state[name])} {things}, but the config has {len(own[name])} '
                             f'({key}): use the config that it was trained with')
    heads = {name.split('.')[0] for name in state if not name.startswith('backbone.')}
    if not any(name.startswith('backbone.') for name in state):
        raise ValueError(f'{checkpoint} has no backbone.… in it: it is not a whole model of this task. Weights of the '
                         'authors become one with hrformer-mm convert')
    if not heads & {name.split('.')[0] for name in own if not name.startswith('backbone.')}:
        raise ValueError(f"{checkpoint} is of another task: it has {', '.join(sorted(heads)) or 'a backbone alone'}, "
                         f'and the config is one of {task}')
    try:
        check_state(state, {name: value.shape for name, value in own.items()})
    except ValueError as error:
        raise ValueError(f'{checkpoint} is of another model than the config: {error}') from None


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
