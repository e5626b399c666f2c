"""Checks of the inputs of a model, which would otherwise fail deep within it, or not at all."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.dist import get_world_size
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

_CAST = (torch.float32, torch.float16, torch.bfloat16)  # dtypes that autocast turns into each other


def check_image(x: Any, channels: int, module: nn.Module) -> None:
    """Check images (N, channels, H, W), in the dtype of a module's parameters, or in one that autocast converts to it.

    Raises:
        TypeError, ValueError: If not, with shape or dtype and the remedy.
    """
    remedy = f'the backbone has in_channels={channels}'
    if isinstance(x, Tensor) and x.dim() == 3:
        remedy = 'x[None] makes a batch of one image'
    elif isinstance(x, Tensor) and x.dim() == 4 and x.shape[1] == 1:
        remedy = f'x.expand(-1, {channels}, -1, -1) repeats a grey image, or let the backbone have in_channels=1'
    _check_map('the input', x, channels, module, remedy)


def check_maps(maps: Any, in_index: Sequence[int], channels: Sequence[int], module: nn.Module) -> None:
    """Check the maps of a backbone: those of `in_index` are (N, channels[i], H_i, W_i), in the dtype of a module's
    parameters, or in one that autocast converts to it.

    Raises:
        TypeError, ValueError: If not, with shape or dtype and the remedy.
    """
    if not isinstance(maps, (list, tuple)):
        raise TypeError(f'the input is of {type(maps).__name__}, but must be a tuple of maps, the output of a backbone')
    if len(maps) <= max(in_index):
        raise ValueError(
            f'the input is {len(maps)} maps, but branch {max(in_index)} is needed: change out_indices of '
            'the backbone, or in_index'
        )
    for i, c in zip(in_index, channels):
        _check_map(f'branch {i}', maps[i], c, module, 'in_channels must be the channels of the backbone')
        if maps[i].shape[0] != maps[in_index[0]].shape[0]:
            raise ValueError(
                f'branch {i} has the shape {tuple(maps[i].shape)}, and branch {in_index[0]} '
                f'{tuple(maps[in_index[0]].shape)}, but both must have as many images'
            )


def check_batch_norm(name: str, values: int, module: nn.Module) -> None:
    """Check, in training, that batch norms get more than one value per channel: one has no variance.

    Args:
        name (str): The smallest map that they normalize.
        values (int): Its number of values per channel, N * H * W.
        module (nn.Module): Contains the batch norms.

    Raises:
        ValueError: If a batch norm that computes statistics gets one, with the remedy.
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
            f'{name} has one value per channel, but batch norm needs more in training. Set drop_last=True '
            'in train_dataloader if this is the last batch, a larger batch_size or larger images, or '
            "norm_eval=True of the backbone or a norm_cfg as dict(type='GN', num_groups=2)"
        )


def _check_map(name: str, x: Any, channels: int, module: nn.Module, remedy: str) -> None:
    if not isinstance(x, Tensor):
        raise TypeError(f'{name} is of {type(x).__name__}, but must be a tensor (N, {channels}, H, W)')
    if x.dim() != 4 or x.shape[1] != channels:
        raise ValueError(f'{name} has the shape {tuple(x.shape)}, but must be (N, {channels}, H, W): {remedy}')
    if not x.shape[2] or not x.shape[3]:
        raise ValueError(f'{name} has the shape {tuple(x.shape)}, but height and width must be at least 1')
    if not x.is_floating_point():
        raise TypeError(
            f'{name} is of {x.dtype}, but must be of floating point: normalize the image first, for '
            'example (x.float() - mean) / std'
        )
    dtype = next((p.dtype for p in module.parameters() if p.is_floating_point()), x.dtype)
    if x.dtype != dtype and not (x.dtype in _CAST and dtype in _CAST and torch.is_autocast_enabled(x.device.type)):
        raise TypeError(
            f'{name} is of {x.dtype}, but the weights are of {dtype}: convert one of them, for example '
            f'with x.to({dtype})'
        )
