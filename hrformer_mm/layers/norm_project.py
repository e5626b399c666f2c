"""A LayerNorm before a projection, the quickest way."""

from typing import Callable, Optional

import torch
from torch import Tensor, nn

from ..ops import LayerNormProjection


def norm_project(x: Tensor, norm: Optional[nn.Module], projection: nn.Module,
                 project: Callable[[Tensor], Tensor]) -> Tensor:
    """`project(norm(x))`, (N, H, W, C) to (N, H, W, O), or `project(x)` without a norm.

    A LayerNorm that trains on the CPU goes the short way, with the weight and bias of `projection`, see
    :class:`~hrformer_mm.ops.LayerNormProjection`.
    """
    if norm is None:
        return project(x)
    if (type(norm) is nn.LayerNorm and norm.bias is not None and torch.is_grad_enabled() and x.device.type == 'cpu'
            and x.dtype == projection.weight.dtype and x.dtype in (torch.float32, torch.float64)
            and not torch.compiler.is_compiling() and not torch.is_autocast_enabled('cpu')):
        return LayerNormProjection.apply(x, norm.weight, norm.bias, norm.eps, projection.weight.flatten(1),
                                         projection.bias)
    return project(norm(x))
