"""Validation of the inputs of a model, with errors that state the remedy."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.dist import get_world_size
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

_CAST = (torch.float32, torch.float16, torch.bfloat16)  # dtypes between which autocast converts


def check_image(x: Any, channels: int, module: nn.Module) -> None:
    """Check that `x` is a batch of images (N, channels, H, W) in the dtype of a module's parameters.

    Raises:
        TypeError: If `x` is not a tensor, or has a dtype that autocast does not convert.
        ValueError: If `x` has the wrong shape.
    """
    remedy = f'the backbone has in_channels={channels}'
    if isinstance(x, Tensor) and x.dim() == 3:
        remedy = 'x[None] is a batch of one image'
    elif isinstance(x, Tensor) and x.dim() == 4 and x.shape[1] == 1:
        remedy = f'repeat a gray image with x.expand(-1, {channels}, -1, -1), or set in_channels=1 in the backbone'
    _check_map('the input', x, channels, module, remedy)


def check_maps(maps: Any, in_index: Sequence[int], channels: Sequence[int], module: nn.Module) -> None:
    """Check the maps of a backbone before a module uses them.

    The maps `in_index` must have the shapes (N, channels[i], H_i, W_i) and the dtype of the module's parameters.

    Raises:
        TypeError: If the maps are not a tuple of tensors, or have a dtype that autocast does not convert.
        ValueError: If a map is missing or has the wrong shape.
    """
    if not isinstance(maps, (list, tuple)):
        raise TypeError(
            f'the input is of type {type(maps).__name__}, but must be a tuple of maps, the output of a backbone'
        )
    if len(maps) <= max(in_index):
        raise ValueError(
            f'the input has {len(maps)} maps, but branch {max(in_index)} is needed: change out_indices of '
            'the backbone, or in_index'
        )
    for i, c in zip(in_index, channels):
        _check_map(f'branch {i}', maps[i], c, module, 'in_channels must be the channels of the backbone')
        if maps[i].shape[0] != maps[in_index[0]].shape[0]:
            raise ValueError(
                f'branch {i} has the shape {tuple(maps[i].shape)}, but must have as many images as branch '
                f'{in_index[0]} of the shape {tuple(maps[in_index[0]].shape)}'
            )


def check_batch_norm(name: str, values: int, module: nn.Module) -> None:
    """Check that batch norms get more than one value per channel in training, since one value has no variance.

    Args:
        name (str): Name of the smallest map that is normalized, for the error message.
        values (int): Number of values per channel of this map, N * H * W.
        module (nn.Module): Module that contains the batch norms.

    Raises:
        ValueError: If a batch norm in training mode gets one value per channel.
    """
    if (
        module.training
        and values == 1
        and any(
            norm.training and not (isinstance(norm, nn.SyncBatchNorm) and get_world_size() > 1)
            for norm in module.modules()
            if isinstance(norm, _BatchNorm)
        )
    ):
        raise ValueError(
            f'{name} has one value per channel, but batch norm needs more in training: set drop_last=True in '
            'train_dataloader if this is the last batch, use a larger batch_size or larger images, or set '
            "norm_eval=True or norm_cfg=dict(type='GN', num_groups=2) in the backbone"
        )


def _check_map(name: str, x: Any, channels: int, module: nn.Module, remedy: str) -> None:
    if not isinstance(x, Tensor):
        raise TypeError(f'{name} is of type {type(x).__name__}, but must be a tensor (N, {channels}, H, W)')
    if x.dim() != 4 or x.shape[1] != channels:
        raise ValueError(f'{name} has the shape {tuple(x.shape)}, but must be (N, {channels}, H, W): {remedy}')
    if not x.shape[2] or not x.shape[3]:
        raise ValueError(f'{name} has the shape {tuple(x.shape)}, but height and width must be at least 1')
    if not x.is_floating_point():
        raise TypeError(
            f'{name} has the dtype {x.dtype}, but must be floating-point: normalize the image first, for '
            'example with (x.float() - mean) / std'
        )
    dtype = next((p.dtype for p in module.parameters() if p.is_floating_point()), x.dtype)
    if x.dtype != dtype and not (x.dtype in _CAST and dtype in _CAST and torch.is_autocast_enabled(x.device.type)):
        raise TypeError(
            f'{name} has the dtype {x.dtype}, but the weights have {dtype}: convert one of them, for example '
            f'with x.to({dtype})'
        )
