"""The projection of every place of a map, and products that stay finite."""

from typing import Any, Optional

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


def project(x: Tensor, weight: Tensor, bias: Optional[Tensor] = None) -> Tensor:
    """`linear` over the channels of a channels-last map.

    On the CPU it runs as oneDNN's 1x1 convolution, which takes half the time of MKL's matrix product where MKL does
    not know the processor (AMD), and as long where it does.

    Args:
        x (Tensor): (N, H, W, C).
        weight (Tensor): (O, C).
        bias (Tensor, optional): (O,).

    Returns:
        Tensor: (N, H, W, O).
    """
    if x.device.type != 'cpu' or x.dtype == torch.float64:
        return F.linear(x, weight, bias)
    return pointwise_conv(x.permute(0, 3, 1, 2), weight[:, :, None, None], bias).permute(0, 2, 3, 1)


def project_backward(grad: Tensor, x: Tensor, weight: Tensor,
                     wanted: tuple[bool, ...]) -> tuple[Optional[Tensor], ...]:
    """Gradients of the map, weight and bias of :func:`project`, those that are `wanted`; (N, H, W, O) for `grad`."""
    if x.device.type == 'cpu':
        grad_x, grad_weight, grad_bias = pointwise_conv_backward(
            grad.permute(0, 3, 1, 2), x.permute(0, 3, 1, 2), weight[:, :, None, None], wanted)
        return (None if grad_x is None else grad_x.permute(0, 2, 3, 1),
                None if grad_weight is None else grad_weight.view_as(weight), grad_bias)
    rows = grad.flatten(0, 2)
    return (grad @ weight if wanted[0] else None, rows.t() @ x.flatten(0, 2) if wanted[1] else None,
            rows.sum(0) if wanted[2] else None)


def pointwise_conv(x: Tensor, weight: Tensor, bias: Optional[Tensor] = None) -> Tensor:
    """A 1x1 convolution whose gradient is quick on small maps as well.

    Args:
        x (Tensor): (N, C, H, W).
        weight (Tensor): (O, C, 1, 1).
        bias (Tensor, optional): (O,).

    Returns:
        Tensor: (N, O, H, W).
    """
    plain = x.device.type != 'cpu' or torch.compiler.is_compiling() or torch.is_autocast_enabled('cpu')
    if plain or not _is_few(x, weight) or not torch.is_grad_enabled():
        return F.conv2d(x, weight, bias)
    return _PointwiseConv.apply(x, weight, bias)


def product(a: Tensor, b: Tensor) -> Tensor:
    """`a @ b`; of float16 in float32, since the sum of a few products leaves float16's range, which ends at 65504."""
    if a.dtype != torch.float16:
        return a @ b
    with torch.autocast(a.device.type, enabled=False):
        return a.float() @ b.float()


class _PointwiseConv(torch.autograd.Function):
    """oneDNN's gradient of a weight that is larger than the map takes eight times as long as the matrix product."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Optional[Tensor]) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Optional[Tensor], ...]:
        return pointwise_conv_backward(grad, *ctx.saved_tensors, ctx.needs_input_grad)


def pointwise_conv_backward(grad: Tensor, x: Tensor, weight: Tensor,
                            wanted: tuple[bool, ...]) -> tuple[Optional[Tensor], ...]:
    """Gradients of a 1x1 convolution's input, weight and bias, those that are `wanted`; (N, O, H, W) for `grad`."""
    few = _is_few(x, weight)
    grads = torch.ops.aten.convolution_backward(grad, x, weight, [weight.shape[0]], [1, 1], [0, 0], [1, 1], False,
                                                [0, 0], 1, (wanted[0], False, False) if few else wanted)
    if not few:
        return grads
    rows = grad.permute(0, 2, 3, 1).reshape(-1, grad.shape[1])
    grad_weight = None
    if wanted[1]:
        # The product of the two maps over their places, which takes the place of the channels.
        transposed = x.permute(1, 0, 2, 3).reshape(x.shape[1], -1)
        grad_weight = project(rows.t().contiguous()[None, None], transposed).view_as(weight)
    return grads[0], grad_weight, rows.sum(0) if wanted[2] else None


def _is_few(x: Tensor, weight: Tensor) -> bool:
    """Whether a map has fewer places than channels, before and after."""
    return 0 < x.shape[0] * x.shape[2] * x.shape[3] < min(weight.shape[:2])
