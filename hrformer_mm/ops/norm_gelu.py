"""Batch norm, GELU and a convolution as one step of training, which keeps its input alone for the backward pass."""

from typing import Any, Optional

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .projection import pointwise_conv_backward

aten = torch.ops.aten


class BatchNormGELUConv(torch.autograd.Function):
    """`conv(gelu(batch_norm(x)))`, or `gelu(batch_norm(x))` if there is no convolution, with a batch's statistics.

    The outputs of norm and GELU are made anew in the backward pass, which costs two passes over memory that is in
    use already; keeping them, as three separate steps do, costs three times the memory, and on the CPU more time, most
    of which the operating system takes to hand out fresh pages.

    Arguments of `apply`: x (N, C, H, W); weight, bias, running_mean, running_var (C,), momentum and eps of the norm,
    whose running statistics are updated; then weight, bias, padding and groups of a convolution of stride 1.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, running_mean: Tensor, running_var: Tensor,
                momentum: float, eps: float, conv_weight: Optional[Tensor] = None, conv_bias: Optional[Tensor] = None,
                padding: tuple[int, int] = (0, 0), groups: int = 1) -> Tensor:
        out, mean, invstd = torch.native_batch_norm(x, weight, bias, running_mean, running_var, True, momentum, eps)
        out = aten.gelu_(out)
        ctx.save_for_backward(x, weight, bias, mean, invstd, conv_weight)
        ctx.settings = eps, padding, groups
        return out if conv_weight is None else F.conv2d(out, conv_weight, conv_bias, 1, padding, 1, groups)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Optional[Tensor], ...]:
        x, weight, bias, mean, invstd, conv_weight = ctx.saved_tensors
        eps, padding, groups = ctx.settings
        scale, shift = _map(weight * invstd), _map(bias - mean * weight * invstd)
        buffer = torch.addcmul(shift, x, scale)
        conv_grads: tuple[Optional[Tensor], ...] = (None, None)
        if conv_weight is None:
            grad = aten.gelu_backward(grad, buffer)
        else:
            buffer = aten.gelu_(buffer)
            grad, *conv_grads = _conv_backward(grad, buffer, conv_weight, padding, groups,
                                               (True, *ctx.needs_input_grad[7:9]))
            buffer = torch.addcmul(shift, x, scale, out=buffer)  # quicker than the fresh memory of a second map
            grad = aten.gelu_backward.grad_input(grad, buffer, grad_input=grad)
        _, grad_weight, grad_bias = aten.native_batch_norm_backward(grad, x, weight, None, None, mean, invstd, True,
                                                                    eps, [False, True, True])
        # The gradient of x is scale * (grad - mean(grad) - normalised x * mean(grad * normalised x)): a sum of grad,
        # x and a constant, each times a factor per channel.
        count = x.numel() // x.shape[1]
        slope = -weight * invstd**2 * grad_weight / count
        offset = -weight * invstd * grad_bias / count - slope * mean
        grad_x = torch.addcmul(_map(offset), x, _map(slope), out=buffer).addcmul_(grad, scale)
        return grad_x, grad_weight, grad_bias, None, None, None, None, *conv_grads, None, None


def _map(vector: Tensor) -> Tensor:
    return vector.view(1, -1, 1, 1)


def _conv_backward(grad: Tensor, x: Tensor, weight: Tensor, padding: tuple[int, int], groups: int,
                   wanted: tuple[bool, ...]) -> tuple[Optional[Tensor], ...]:
    if weight.shape[2:] == (1, 1) and groups == 1:
        return pointwise_conv_backward(grad, x, weight, wanted)
    return aten.convolution_backward(grad, x, weight, [weight.shape[0]], [1, 1], padding, [1, 1], False, [0, 0],
                                     groups, wanted)
