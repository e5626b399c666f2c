"""Scaled dot-product attention with an additive bias, in two implementations."""

import torch
import torch.nn.functional as F
from torch import Tensor

IMPLEMENTATIONS = ('sdpa', 'plain')
# Elements of a head that PyTorch's memory-efficient attention needs a multiple of; it falls back to float32 otherwise.
HEAD_MULTIPLE = 8
MAX_BATCH = 65535  # the limit of a CUDA grid, which holds one window for each entry of the batch


def attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, scale: float, implementation: str) -> Tensor:
    """Compute softmax(scale * q k^T + bias) v.

    Args:
        q, k, v (Tensor): Queries (B, heads, L, D), keys and values (B, heads, S, D).
        bias (Tensor, optional): Added to the scores; broadcasts to (B, heads, L, S). -inf masks a key.
        scale (float): Factor of the products of queries and keys.
        implementation (str): 'sdpa': PyTorch's ``scaled_dot_product_attention``. 'plain': the formula, operator by
            operator, which is faster for the small windows of a CPU and supports higher derivatives.

    Returns:
        Tensor: (B, heads, L, D).
    """
    bias = None if bias is None else bias.to(q.dtype)
    if implementation == 'plain':
        return _plain(q, k, v, bias, scale)
    if q.shape[0] <= MAX_BATCH:
        return F.scaled_dot_product_attention(q, k, v, bias, scale=scale)
    parts = [x.split(MAX_BATCH) for x in (q, k, v)]
    shared = bias is None or bias.shape[0] == 1
    biases = [bias] * len(parts[0]) if shared else bias.split(MAX_BATCH)
    return torch.cat([F.scaled_dot_product_attention(*part, scale=scale) for part in zip(*parts, biases)])


def mask_bias(bias: Tensor | None, mask: Tensor, images: int, like: Tensor) -> Tensor:
    """Add -inf to a bias where keys are masked.

    Args:
        bias (Tensor, optional): (1, heads, L, L).
        mask (Tensor): bool, (windows of an image, 1, 1 or L, L); True for keys that are ignored.
        images (int): The number of images, which share the mask.
        like (Tensor): Provides the dtype and device if there is no bias.

    Returns:
        Tensor: (images * windows of an image, heads or 1, L or 1, L).
    """
    bias = like.new_zeros(()) if bias is None else bias
    return bias.masked_fill(mask.repeat(images, 1, 1, 1), float('-inf'))


def _plain(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, scale: float) -> Tensor:
    if q.dtype == torch.float16:  # the sum of a few products exceeds 65504, its largest number
        with torch.autocast(q.device.type, enabled=False):
            scores = q.float() @ k.float().transpose(-2, -1)
    else:
        scores = q @ k.transpose(-2, -1)
    # Scaling the scores, not the queries, keeps one tensor less for the backward pass.
    scores = scores * scale if bias is None else torch.add(bias, scores, alpha=scale)
    return scores.softmax(-1).to(v.dtype) @ v
