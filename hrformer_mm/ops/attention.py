"""Multi-head self-attention within the windows of a channels-last map (HRFormer, section 3.1)."""

from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor

from .windows import merge_windows, padding, partition_windows

_backend = 'auto'


def set_attention_backend(name: str) -> str:
    """Choose how all window attention of this process is computed.

    Args:
        name (str): 'auto': 'batched' on the CPU, 'fused' elsewhere. 'batched': two batched products, quickest where
            windows are small. 'fused': PyTorch's scaled_dot_product_attention. 'plain': the formula, which the
            others are tested against.

    Returns:
        str: The backend that was in force before, to set it back.

    Raises:
        ValueError: If there is no such backend.
    """
    global _backend
    if name != 'auto' and name not in _BACKENDS:
        raise ValueError(f"attention backend is {name!r}, but must be one of auto, {', '.join(_BACKENDS)}")
    previous, _backend = _backend, name
    return previous


def window_attention(qkv: Tensor,
                     padding_value: Tensor,
                     num_heads: int,
                     window_size: tuple[int, int],
                     bias: Optional[Tensor] = None,
                     mask_padding: bool = False,
                     scale: Optional[float] = None) -> Tensor:
    """Attend within windows, each place to all places of its own window.

    A map that the window does not divide is padded around its centre. The authors pad before the projections, so
    that a padded place projects to the projection's bias; here the projections have been made and that bias is
    written into the padded places. They take part in the softmax unless `mask_padding` is set.

    Args:
        qkv (Tensor): Projections, (N, H, W, 3 * C): queries, keys and values, each of all heads in turn.
        padding_value (Tensor): What a padded place holds, (3 * C,).
        num_heads (int): How many heads share the C channels.
        window_size (tuple[int, int]): Height and width of a window.
        bias (Tensor, optional): Added to the products, (num_heads, L, L) with L = height * width.
        mask_padding (bool): Whether padded places are left out of the softmax.
        scale (float, optional): Factor of the products of queries and keys. Default: (C / num_heads) ** -0.5.

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

    q, k, v = partition_windows(qkv, window_size, 3, num_heads).unbind(0)
    bias = None if bias is None else bias.to(qkv.dtype)[None]
    if padded and mask_padding:
        keys = qkv.new_full((1, *size, 1), float('-inf'))
        keys[:, top:top + h, left:left + w] = 0
        keys = partition_windows(keys, window_size)[0].transpose(2, 3).repeat(n, 1, 1, 1)
        bias = keys if bias is None else bias + keys

    name = ('batched' if qkv.device.type == 'cpu' else 'fused') if _backend == 'auto' else _backend
    scale = q.shape[-1]**-0.5 if scale is None else scale
    out = merge_windows(_BACKENDS[name](q, k, v, bias, scale), window_size, size)
    return out[:, top:top + h, left:left + w] if padded else out


def _plain(q: Tensor, k: Tensor, v: Tensor, bias: Optional[Tensor], scale: float) -> Tensor:
    product = (q * scale) @ k.transpose(-2, -1)
    if bias is not None:
        product = product + bias
    return torch.softmax(product, dim=-1) @ v


def _fused(q: Tensor, k: Tensor, v: Tensor, bias: Optional[Tensor], scale: float) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=scale)


def _batched(q: Tensor, k: Tensor, v: Tensor, bias: Optional[Tensor], scale: float) -> Tensor:
    shape = q.shape
    q, k, v = (x.flatten(0, 1) for x in (q if scale == 1 else q * scale, k, v))
    product = torch.bmm(q, k.transpose(1, 2))
    alone = not torch.is_grad_enabled()  # nobody else will look at the products: reuse their memory
    if bias is not None:
        product = product.unflatten(0, shape[:2])
        product = (product.add_(bias) if alone else product + bias).flatten(0, 1)
    weights = torch.softmax(product, -1, out=product) if alone else torch.softmax(product, -1)
    return torch.bmm(weights, v).unflatten(0, shape[:2])


_BACKENDS = {'batched': _batched, 'fused': _fused, 'plain': _plain}
