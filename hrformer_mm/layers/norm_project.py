"""A LayerNorm before a projection, the quickest way."""

from typing import Callable, Optional

import torch
from torch import Tensor, nn

from ..ops import LayerNormProjection, by_kernels


def norm_project(x: Tensor, norm: Optional[nn.Module], projection: nn.Module,
                 project: Callable[[Tensor], Tensor]) -> Tensor:
    """`project(norm(x))`, (N, H, W, C) to (N, H, W, O), or `project(x)` without a norm.

    A LayerNorm that trains on the CPU, or where block kernels are asked for, goes the short way, with the weight and
    bias of `projection`, see :class:`~hrformer_mm.ops.LayerNormProjection`.
    """
    if norm is None:
        return project(x)
    if (type(norm) is nn.LayerNorm and norm.bias is not None and torch.is_grad_enabled()
            and not torch.compiler.is_compiling() and _is_short(x, projection.weight)):
        return LayerNormProjection.apply(x, norm.weight, norm.bias, norm.eps, projection.weight.flatten(1),
                                         projection.bias)
    return project(norm(x))


def _is_short(x: Tensor, weight: Tensor) -> bool:
    if by_kernels(x):
        if x.dtype == torch.float32:  # which autocast has rounded after the norm
            return weight.dtype == torch.float32 and not torch.is_autocast_enabled(x.device.type)
        return x.dtype == weight.dtype or torch.is_autocast_enabled(x.device.type)
    return (x.device.type == 'cpu' and x.dtype == weight.dtype and x.dtype in (torch.float32, torch.float64)
            and not torch.is_autocast_enabled('cpu'))
