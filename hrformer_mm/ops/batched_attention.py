"""Window attention as two batched products, forward and backward: the quickest way on a CPU."""

from typing import Any, Optional

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .windows import Padding, merge_windows, partition_windows


def probabilities(q: Tensor, k: Tensor, bias: Optional[Tensor], scale: float) -> Tensor:
    """softmax(q k^T scale + bias); records no gradient.

    Args:
        q, k (Tensor): (windows, heads, L, D).
        bias (Tensor, optional): (windows or 1, heads or 1, L, L).
        scale (float): Factor of the products.

    Returns:
        Tensor: (windows * heads, L, L), in float32 if q and k are of float16, whose range the products may leave.
    """
    shape = q.shape[:2]
    if q.dtype == torch.float16:
        q, k = q.float(), k.float()
    q, k = q.flatten(0, 1), k.flatten(0, 1)
    product = q.new_empty(q.shape[0], q.shape[1], q.shape[1])
    torch.baddbmm(product, q, k.transpose(1, 2), beta=0, alpha=scale, out=product)
    if bias is not None:
        product.unflatten(0, shape).add_(bias)
    return torch.softmax(product, -1, out=product)


class BatchedWindowAttention(torch.autograd.Function):
    """Window attention that keeps the windows alone for the backward pass, and makes the probabilities anew.

    Arguments of `apply`: qkv (N, H, W, 3 * C), padding_value (3 * C,), bias (heads, L, L) or None, heads, window size,
    scale and padding, as for :func:`hrformer_mm.ops.window_attention`. Gives (N, H, W, C).
    """

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, padding_value: Tensor, bias: Optional[Tensor], num_heads: int,
                window_size: tuple[int, int], scale: float, padding: Padding) -> Tensor:
        padded = padding.pad(qkv, padding_value)
        windows = partition_windows(padded, window_size, 3, num_heads)
        ctx.save_for_backward(windows, bias)
        ctx.settings = padded.shape[1:3], window_size, scale, padding
        out = _attend(windows, bias, scale)
        return padding.crop(merge_windows(out[None], window_size, padded.shape[1:3])).contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Optional[Tensor], ...]:
        windows, bias = ctx.saved_tensors
        dtype = windows.dtype
        if dtype == torch.float16:
            windows, grad = windows.float(), grad.float()
        size, window_size, scale, padding = ctx.settings
        heads = windows.shape[2]
        grad = padding.pad(grad, grad.new_zeros(grad.shape[3]))
        grad = partition_windows(grad, window_size, 1, heads).flatten(0, 2)
        weights = probabilities(windows[0], windows[1], bias, scale)
        q, k, v = windows.flatten(1, 2).unbind(0)

        out = torch.empty_like(windows)
        grad_q, grad_k, grad_v = out.flatten(1, 2).unbind(0)
        torch.bmm(weights.transpose(1, 2), grad, out=grad_v)
        product = torch.bmm(grad, v.transpose(1, 2), out=torch.empty_like(weights))
        torch._softmax_backward_data(product, weights, -1, product.dtype, grad_input=product)
        torch.baddbmm(grad_q, product, k, beta=0, alpha=scale, out=grad_q)
        torch.baddbmm(grad_k, product.transpose(1, 2), q, beta=0, alpha=scale, out=grad_k)
        grad_bias = None if bias is None else product.unflatten(0, (-1, heads)).sum(0)

        padded = merge_windows(out, window_size, size)
        grad_value = sum(border.sum((0, 1, 2)) for border in padding.borders(padded)) if any(padding) else None
        return padding.crop(padded).to(dtype), grad_value, grad_bias, None, None, None, None


# One node of a compiled graph: a compiler's own code for the parts takes twice as long. PyTorch's newer interface,
# custom_op, would take 40 us for each call.
_library = torch.library.Library('hrformer_mm', 'DEF')
_library.define('attend(Tensor windows, Tensor? bias, float scale) -> Tensor')


def attend(windows: Tensor, bias: Optional[Tensor], scale: float) -> Tensor:
    """softmax(q k^T scale + bias) v without gradients; in a compiled graph as one node.

    Args:
        windows (Tensor): Queries, keys and values, (3, windows, heads, L, D), contiguous.
        bias (Tensor, optional): (heads, L, L).
        scale (float): Factor of the products.

    Returns:
        Tensor: (windows, heads, L, D).
    """
    return torch.ops.hrformer_mm.attend(windows, bias, scale)


def _attend(windows: Tensor, bias: Optional[Tensor], scale: float) -> Tensor:
    q, k, v = windows.unbind(0)
    return torch.bmm(probabilities(q, k, bias, scale).to(v.dtype), v.flatten(0, 1)).view_as(v)


_library.impl('attend', _attend, 'CompositeExplicitAutograd')


@torch.library.register_fake('hrformer_mm::attend')
def _(windows: Tensor, bias: Optional[Tensor], scale: float) -> Tensor:
    return windows.new_empty(windows.shape[1:])
