"""Scaled dot-product attention with an additive bias in two implementations."""

from itertools import repeat

import torch
import torch.nn.functional as F
from torch import Tensor

IMPLEMENTATIONS = ('sdpa', 'plain')
# PyTorch's memory-efficient attention falls back to float32 unless the head size is a multiple of this number.
HEAD_MULTIPLE = 8
MAX_BATCH = 65535  # limit of a CUDA grid, which has one entry per window


def attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, scale: float, implementation: str) -> Tensor:
    """Compute softmax(scale * q k^T + bias) v.

    Args:
        q (Tensor): Queries of shape (B, heads, L, D).
        k, v (Tensor): Keys and values of shape (B, heads, S, D).
        bias (Tensor, optional): Bias that is added to the scores and broadcasts to (B, heads, L, S). -inf masks a key.
        scale (float): Factor that multiplies the products of queries and keys.
        implementation (str): 'sdpa' calls PyTorch's ``scaled_dot_product_attention``. 'plain' evaluates the formula
            operator by operator: it is faster for small windows on a CPU and supports higher-order derivatives.

    Returns:
        Tensor: Output of shape (B, heads, L, D).
    """
    bias = None if bias is None else bias.to(q.dtype)
    if implementation == 'plain':
        return _plain(q, k, v, bias, scale)
    if q.shape[0] <= MAX_BATCH:
        return F.scaled_dot_product_attention(q, k, v, bias, scale=scale)
    biases = repeat(bias) if bias is None or bias.shape[0] == 1 else bias.split(MAX_BATCH)
    parts = zip(q.split(MAX_BATCH), k.split(MAX_BATCH), v.split(MAX_BATCH), biases)
    return torch.cat([F.scaled_dot_product_attention(*part, scale=scale) for part in parts])


def mask_bias(bias: Tensor | None, mask: Tensor, images: int, like: Tensor) -> Tensor:
    """Set the bias of masked keys to -inf.

    Args:
        bias (Tensor, optional): Bias of shape (1, heads, L, L).
        mask (Tensor): Boolean mask of shape (windows per image, 1 or heads, 1 or L, L). True ignores a key.
        images (int): Number of images; all images share the mask.
        like (Tensor): Tensor that provides the dtype and device if `bias` is None.

    Returns:
        Tensor: Bias of shape (images * windows per image, 1 or heads, 1 or L, L).
    """
    bias = like.new_zeros(()) if bias is None else bias
    return bias.masked_fill(mask.repeat(images, 1, 1, 1), float('-inf'))


def _plain(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, scale: float) -> Tensor:
    if q.dtype == torch.float16:  # a sum of a few products may exceed 65504, the largest float16
        with torch.autocast(q.device.type, enabled=False):
            scores = q.float() @ k.float().transpose(-2, -1)
    else:
        scores = q @ k.transpose(-2, -1)
    # Scaling the scores instead of the queries saves one tensor less for the backward pass.
    scores = scores * scale if bias is None else torch.add(bias, scores, alpha=scale)
    return scores.softmax(-1).to(v.dtype) @ v
