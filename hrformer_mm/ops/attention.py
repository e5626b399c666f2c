"""Multi-head self-attention within the windows of a channels-last map (HRFormer, section 3.1)."""

from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor

from .windows import merge_windows, padding, partition_windows

_backend = 'fused'


def set_attention_backend(name: str) -> str:
    """Choose how all window attention of this process is computed.

    Args:
        name (str): 'fused', PyTorch's scaled_dot_product_attention, or 'plain', two products and a softmax: the
            reference that the fused one is tested against.

    Returns:
        str: The backend that was in force before, to set it back.

    Raises:
        ValueError: If there is no such backend.
    """
    global _backend
    if name not in _BACKENDS:
        raise ValueError(f"attention backend is {name!r}, but must be one of {', '.join(_BACKENDS)}")
    previous, _backend = _backend, name
    return previous


def window_attention(qkv: Tensor,
                     padding_value: Tensor,
                     num_heads: int,
                     window_size: tuple[int, int],
                     bias: Optional[Tensor] = None,
                     mask_padding: bool = False) -> Tensor:
    """Attend within windows, each place to all places of its own window.

    A map that the window does not divide is padded around its centre. The authors pad before the projections, so
    that a padded place projects to the projection's bias; here the projections have been made and that bias is
    written into the padded places. They take part in the softmax unless `mask_padding` is set.

    Args:
        qkv (Tensor): Projections, (N, H, W, 3 * C): queries, keys and values, each of all heads in turn.
        padding_value (Tensor): What a padded place holds, (3 * C,).
        num_heads (int): How many heads share the C channels. Products are scaled by (C / num_heads) ** -0.5.
        window_size (tuple[int, int]): Height and width of a window.
        bias (Tensor, optional): Added to the products, (num_heads, L, L) with L = height * width.
        mask_padding (bool): Whether padded places are left out of the softmax.

    Returns:
        Tensor: (N, H, W, C).
    """
    n, h, w, c3 = qkv.shape
    top, bottom = padding(h, window_size[0])
    left, right = padding(w, window_size[1])
    size = (h + top + bottom, w + left + right)
    padded = size != (h, w)
    if padded:
        frame = padding_value.to(qkv.dtype).expand(n, *size, c3).clone()
        frame[:, top:top + h, left:left + w] = qkv
        qkv = frame

    windows = partition_windows(qkv, window_size)
    count, length, _ = windows.shape
    q, k, v = windows.view(count, length, 3, num_heads, c3 // (3 * num_heads)).permute(2, 0, 3, 1, 4).unbind(0)
    bias = None if bias is None else bias.to(qkv.dtype)[None]
    if padded and mask_padding:
        keys = qkv.new_full((1, *size, 1), float('-inf'))
        keys[:, top:top + h, left:left + w] = 0
        keys = partition_windows(keys, window_size).view(-1, 1, 1, length).repeat(n, 1, 1, 1)
        bias = keys if bias is None else bias + keys

    out = _BACKENDS[_backend](q, k, v, bias)
    out = merge_windows(out.transpose(1, 2).reshape(count, length, c3 // 3), window_size, size)
    return out[:, top:top + h, left:left + w] if padded else out


def _plain(q: Tensor, k: Tensor, v: Tensor, bias: Optional[Tensor]) -> Tensor:
    product = (q * q.shape[-1]**-0.5) @ k.transpose(-2, -1)
    if bias is not None:
        product = product + bias
    return torch.softmax(product, dim=-1) @ v


def _fused(q: Tensor, k: Tensor, v: Tensor, bias: Optional[Tensor]) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias)


_BACKENDS = {'fused': _fused, 'plain': _plain}
