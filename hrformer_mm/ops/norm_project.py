"""LayerNorm and a projection as one step of training, which keeps its input alone for the backward pass."""

from contextlib import nullcontext
from typing import Any, Optional

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .projection import project_backward

aten = torch.ops.aten


class LayerNormProjection(torch.autograd.Function):
    """`linear(layer_norm(x))` over the channels of a map; the norm's output is made anew in the backward pass, which
    takes a sixth of the time of the norm's gradient.

    Arguments of `apply`: x (N, H, W, C), weight and bias (C,) and eps of the norm, weight (O, C) and bias (O,) of the
    projection. Gives (N, H, W, O), of the dtype of x; the parameters may be of another, as under autocast.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, norm_weight: Tensor, norm_bias: Tensor, eps: float, weight: Tensor,
                bias: Optional[Tensor]) -> Tensor:
        # The norm is of the dtype of its parameters, and the projection of that of x.
        mixed = x.dtype != norm_weight.dtype
        with torch.autocast(x.device.type, enabled=False) if mixed else nullcontext():
            y, mean, rstd = torch.native_layer_norm(x.to(norm_weight.dtype), norm_weight.shape, norm_weight, norm_bias,
                                                    eps)
            y = y.to(x.dtype)
            ctx.save_for_backward(x, norm_weight, norm_bias, mean, rstd, weight)
            ctx.eps = eps
            weight, bias = weight.to(x.dtype), None if bias is None else bias.to(x.dtype)
            if x.device.type != 'cpu':
                return F.linear(y, weight, bias)
            return F.conv2d(y.permute(0, 3, 1, 2), weight[:, :, None, None], bias).permute(0, 2, 3, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Optional[Tensor], ...]:
        x, norm_weight, norm_bias, mean, rstd, weight = ctx.saved_tensors
        full = x.to(norm_weight.dtype)
        y = torch.native_layer_norm(full, norm_weight.shape, norm_weight, norm_bias, ctx.eps)[0].to(x.dtype)
        wanted = True, *ctx.needs_input_grad[4:]
        grad, *of_projection = project_backward(grad, y, weight.to(x.dtype), wanted)
        grad_x, *of_norm = aten.native_layer_norm_backward(grad.to(full.dtype), full, norm_weight.shape, mean, rstd,
                                                           norm_weight, norm_bias, ctx.needs_input_grad[:3])
        grad_x = None if grad_x is None else grad_x.to(x.dtype)
        return grad_x, *of_norm, None, *(None if own is None else own.to(weight.dtype) for own in of_projection)
