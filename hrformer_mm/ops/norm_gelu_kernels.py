"""Batch norm, GELU and a convolution as one step of training by Triton's kernels, which keeps its input alone."""

from typing import Any, Optional

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


kernels = torch.ops.hrformer_mm


def kernel_norm_gelu_conv(x: Tensor, weight: Tensor, bias: Tensor, running_mean: Tensor, running_var: Tensor,
                          momentum: float, eps: float, conv_weight: Optional[Tensor] = None,
                          conv_bias: Optional[Tensor] = None, group: Optional[dist.ProcessGroup] = None) -> Tensor:
    """:class:`BatchNormGELUConv` by Triton's kernels: `conv(gelu(batch_norm(x)))`, or `gelu(batch_norm(x))`.

    Statistics, sums and what is made of them are float32; the same inputs give the same gradients at every call.

    Args:
        x (Tensor): (N, C, H, W), float32, float16 or bfloat16, quickest in channels-last memory.
        weight, bias, running_mean, running_var (Tensor): (C,), of any floating dtype; the last two are updated.
        momentum (float): Weight of the batch's statistics in the running ones.
        eps (float): Added to the variance.
        conv_weight (Tensor, optional): (O, C, 1, 1), or (C, 1, 3, 3) of a depth-wise convolution with zeros around the
            map; of any floating dtype, which takes part as one of x's dtype if it is 1x1, and as it is if it is 3x3.
        conv_bias (Tensor, optional): (O,).
        group (ProcessGroup, optional): Processes whose maps have statistics in common. Some may have no images.

    Returns:
        Tensor: (N, O, H, W), or (N, C, H, W) without a convolution, in channels-last memory.
    """
    x = x.permute(0, 2, 3, 1).contiguous()
    with torch.no_grad():
        moments = kernels.batch_norm_moments(x)
        if group is not None:
            moments = _gather(_merge(moments), group)
        stats = kernels.batch_norm_finish(moments, weight, bias, running_mean, running_var, momentum, eps)
    return _NormGELUConv.apply(x, weight, bias, stats, conv_weight, conv_bias, group).permute(0, 3, 1, 2)


class _NormGELUConv(torch.autograd.Function):
    """Of a map (N, H, W, C), with the statistics that the kernels made of it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, stats: Tensor, conv_weight: Optional[Tensor],
                conv_bias: Optional[Tensor], group: Optional[dist.ProcessGroup]) -> Tensor:
        ctx.save_for_backward(x, stats, conv_weight)
        ctx.group, ctx.kinds = group, (weight.dtype, None if conv_weight is None else conv_weight.dtype)
        if _is_depthwise(conv_weight):
            return kernels.depthwise(x, stats, conv_weight, conv_bias, False)
        out = kernels.batch_norm_gelu(x, stats)
        if conv_weight is None:
            return out
        return F.linear(out, conv_weight.flatten(1).to(x.dtype), None if conv_bias is None else conv_bias.to(x.dtype))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Optional[Tensor], ...]:
        x, stats, conv_weight = ctx.saved_tensors
        kind, conv_kind = ctx.kinds
        wanted, grad = ctx.needs_input_grad, grad.contiguous()
        depthwise = _is_depthwise(conv_weight)
        grad_conv = grad_conv_bias = None
        if depthwise:
            grad, sums = kernels.depthwise_backward(x, grad, stats, conv_weight)
            own, c = sums.to(kind), len(conv_weight)  # most often all at once
            grad_conv, grad_conv_bias = own[:9 * c].view_as(conv_weight), own[9 * c:10 * c]
            sums, own = sums[10 * c:].view(2, c), own[10 * c:].view(2, c)
        else:
            rows = grad.flatten(0, 2)
            if conv_weight is not None:
                grad = grad @ conv_weight.flatten(1).to(x.dtype)
            sums, out = kernels.batch_norm_gelu_sums(x, grad, stats, wanted[4])
            own = sums.to(kind)
            if wanted[4]:
                grad_conv = (rows.t() @ out.flatten(0, 2)).view(conv_weight.shape)
            if wanted[5]:
                grad_conv_bias = rows.sum(0)
        if ctx.group is not None:
            sums = sums.clone()
            dist.all_reduce(sums, group=ctx.group)
        grad_x = kernels.batch_norm_gelu_backward(x, grad, stats, sums, not depthwise) if wanted[0] else None
        return (grad_x, own[1], own[0], None, grad_conv.to(conv_kind) if wanted[4] else None,
                grad_conv_bias.to(conv_kind) if wanted[5] else None, None)


def _is_depthwise(weight: Optional[Tensor]) -> bool:
    return weight is not None and weight.shape[2:] == (3, 3)


def _merge(moments: Tensor) -> Tensor:
    """Means, squares and counts of several shares (P, 3, C) as those of one, (3, C)."""
    means, squares, counts = moments.unbind(1)
    total = counts.sum(0)
    mean = (means * counts).sum(0) / total.clamp_min(1)
    return torch.stack((mean, (squares + counts * (means - mean).square()).sum(0), total))


def _gather(moments: Tensor, group: dist.ProcessGroup) -> Tensor:
    """Those of all processes, (processes, 3, C)."""
    gathered = [torch.empty_like(moments) for _ in range(dist.get_world_size(group))]
    dist.all_gather(gathered, moments, group)
    return torch.stack(gathered)
