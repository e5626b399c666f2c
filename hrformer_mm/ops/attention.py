"""Multi-head self-attention within the windows of a channels-last map (HRFormer, section 3.1)."""

from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor

from ..kernels import triton_attention, usable
from .batched_attention import BatchedWindowAttention, attend
from .environment import backend_of
from .projection import product
from .windows import (Padding, centred_padding, crop_by_index, has_symbolic_size, is_exporting, merge_windows,
                      pad_by_index, padding_mask, partition_windows, shift_mask)


def set_attention_backend(name: str) -> str:
    """Choose how all window attention of this process is computed.

    The environment variable HRFORMER_MM_ATTENTION_BACKEND does so for a process that is to be started.

    Args:
        name (str): 'auto': 'batched' on the CPU, 'fused' elsewhere. 'batched': two batched products, quickest where
            windows are small. 'fused': PyTorch's scaled_dot_product_attention. 'plain': the formula, which the
            others are tested against. 'triton': one kernel, forward and backward, on the map itself, which has not
            run on a GPU yet; 'fused' takes its place, which is said once, without triton, on the CPU and on cards that
            are too old, and, without a word, for windows that are shifted.

    Returns:
        str: The backend that was in force before, to set it back.

    Raises:
        ValueError: If there is no such backend.
    """
    global _backend
    if name not in _NAMES:
        raise ValueError(f"attention backend is {name!r}, but must be one of {', '.join(_NAMES)}")
    previous, _backend = _backend, name
    return previous


def window_attention(qkv: Tensor,
                     padding_value: Tensor,
                     num_heads: int,
                     window_size: tuple[int, int],
                     bias: Optional[Tensor] = None,
                     mask_padding: bool = False,
                     scale: Optional[float] = None,
                     padding: Optional[Padding] = None,
                     shift: tuple[int, int] = (0, 0)) -> Tensor:
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
        padding (Padding, optional): What makes the map one of whole windows, if it is a part of a larger map.
            Default: the same on all sides.
        shift (tuple[int, int]): How far down and right the windows are moved on the padded map. What this leaves of
            them at the borders forms smaller windows. As in Swin, they stay where one window spans the map's height
            or width. Not for a part of a map, and not with `mask_padding`. Default: (0, 0).

    Returns:
        Tensor: (N, H, W, C).
    """
    padding = centred_padding(qkv.shape[1:3], window_size) if padding is None else padding
    scale = (qkv.shape[3] // (3 * num_heads))**-0.5 if scale is None else scale
    shifted = any(shift) and all(own > window for own, window in zip(qkv.shape[1:3], window_size))
    name = _choose(qkv.device, shifted)
    if name == 'triton':
        return triton_attention(qkv, padding_value, bias, num_heads, window_size, padding, mask_padding, scale)

    bias = None if bias is None else bias.to(qkv.dtype)
    padding_value = padding_value.to(qkv.dtype)
    padded_somewhere = has_symbolic_size(qkv) or any(padding)
    masked = mask_padding and padded_somewhere
    by_index = padded_somewhere and is_exporting()

    def pad(x: Tensor, value: Tensor) -> Tensor:
        return pad_by_index(x, value, window_size, padding) if by_index else padding.pad(x, value)

    if name == 'batched' and not (masked or shifted or torch.compiler.is_compiling()) and torch.is_grad_enabled():
        return BatchedWindowAttention.apply(qkv, padding_value, bias, num_heads, window_size, scale, padding)

    padded = pad(qkv, padding_value)
    if shifted:
        padded = padded.roll((-shift[0], -shift[1]), (1, 2))
    windows = partition_windows(padded, window_size, 3, num_heads)
    bias = None if bias is None else bias[None]
    if masked:
        mask = padding_mask(qkv.shape[1:3], window_size, padding, qkv.device)
    elif shifted:
        mask = shift_mask(padded.shape[1:3], window_size, shift, qkv.device)
    if masked or shifted:
        bias = qkv.new_zeros(()) if bias is None else bias
        bias = bias.masked_fill(mask.repeat(qkv.shape[0], 1, 1, 1), float('-inf'))
    out = merge_windows(_BACKENDS[name](windows, bias, scale)[None], window_size, padded.shape[1:3])
    out = out.roll(shift, (1, 2)) if shifted else out
    return crop_by_index(out, qkv.shape[1:3], padding) if by_index else padding.crop(out)


def _choose(device: torch.device, shifted: bool) -> str:
    if _backend == 'auto':
        return 'batched' if device.type == 'cpu' else 'fused'
    if _backend == 'triton' and (shifted or not usable(device)):
        return 'fused'
    return _backend


def _plain(windows: Tensor, bias: Optional[Tensor], scale: float) -> Tensor:
    q, k, v = windows.unbind(0)
    scores = product(q * scale, k.transpose(-2, -1))
    if bias is not None:
        scores = scores + bias
    return torch.softmax(scores, dim=-1).to(v.dtype) @ v


def _fused(windows: Tensor, bias: Optional[Tensor], scale: float) -> Tensor:
    return F.scaled_dot_product_attention(*windows.unbind(0), attn_mask=bias, scale=scale)


def _batched(windows: Tensor, bias: Optional[Tensor], scale: float) -> Tensor:
    # A graph that is exported holds PyTorch's operators alone, and what is compiled for training differentiates them.
    if torch.is_grad_enabled() or is_exporting():
        return _plain(windows, bias, scale)
    return attend(windows, bias, scale)


_BACKENDS = {'batched': _batched, 'fused': _fused, 'plain': _plain}
_NAMES = ('auto', *_BACKENDS, 'triton')
_backend = backend_of('HRFORMER_MM_ATTENTION_BACKEND', _NAMES)
