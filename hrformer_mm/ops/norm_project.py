"""LayerNorm and a projection as one step of training, which keeps its input alone for the backward pass."""

from typing import Any, Optional

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .projection import pointwise_conv_backward

aten = torch.ops.aten


class LayerNormProjection(torch.autograd.Function):
    """`linear(layer_norm(x))` over the channels of a map; the norm's output is made anew in the backward pass, which
    takes a sixth of the time of the norm's gradient.

    Arguments of `apply`: x (N, H, W, C), weight and bias (C,) and eps of the norm, weight (O, C) and bias (O,) of the
    projection. Gives (N, H, W, O).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, norm_weight: Tensor, norm_bias: Tensor, eps: float, weight: Tensor,
                bias: Optional[Tensor]) -> Tensor:
        y, mean, rstd = torch.native_layer_norm(x, norm_weight.shape, norm_weight, norm_bias, eps)
        ctx.save_for_backward(x, norm_weight, norm_bias, mean, rstd, weight)
        ctx.eps = eps
        return F.conv2d(y.permute(0, 3, 1, 2), weight[:, :, None, None], bias).permute(0, 2, 3, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Optional[Tensor], ...]:
        x, norm_weight, norm_bias, mean, rstd, weight = ctx.saved_tensors
        y = torch.native_layer_norm(x, norm_weight.shape, norm_weight, norm_bias, ctx.eps)[0]
        grad, grad_weight, grad_bias = pointwise_conv_backward(
            grad.permute(0, 3, 1, 2), y.permute(0, 3, 1, 2), weight[:, :, None, None], (True, *ctx.needs_input_grad[4:]))
        grads = aten.native_layer_norm_backward(grad.permute(0, 2, 3, 1), x, norm_weight.shape, mean, rstd, norm_weight,
                                                norm_bias, ctx.needs_input_grad[:3])
        return *grads, None, None if grad_weight is None else grad_weight.view_as(weight), grad_bias
