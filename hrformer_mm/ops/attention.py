"""Multi-head self-attention within the windows of a channels-last map (HRFormer, section 3.1)."""

from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor

from .batched_attention import BatchedWindowAttention, attend
from .triton_attention import available, triton_attention, unsupported, usable
from .windows import Padding, centred_padding, merge_windows, partition_windows

_backend = 'auto'


def set_attention_backend(name: str) -> str:
    """Choose how all window attention of this process is computed.

    Args:
        name (str): 'auto': 'batched' on the CPU; 'triton' on CUDA, where triton is installed and the card is new
            enough, which is said where it is not; else, and in what is exported, 'fused'. 'batched': two batched
            products, quickest where windows are small. 'triton': one kernel, forward and backward, on the map
            itself. 'fused': PyTorch's scaled_dot_product_attention. 'plain': the formula, which the others are
            tested against.

    Returns:
        str: The backend that was in force before, to set it back.

    Raises:
        ValueError: If there is no such backend.
        ImportError: If it needs triton, which is not installed.
    """
    global _backend
    names = ('auto', *_BACKENDS, 'triton')
    if name not in names:
        raise ValueError(f"attention backend is {name!r}, but must be one of {', '.join(names)}")
    if name == 'triton' and not available():
        raise ImportError("attention backend is 'triton', which is not installed: pip install triton")
    previous, _backend = _backend, name
    return previous


def window_attention(qkv: Tensor,
                     padding_value: Tensor,
                     num_heads: int,
                     window_size: tuple[int, int],
                     bias: Optional[Tensor] = None,
                     mask_padding: bool = False,
                     scale: Optional[float] = None,
                     padding: Optional[Padding] = None) -> Tensor:
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

    Returns:
        Tensor: (N, H, W, C).
    """
    padding = centred_padding(qkv.shape[1:3], window_size) if padding is None else padding
    scale = (qkv.shape[3] // (3 * num_heads))**-0.5 if scale is None else scale
    name = _choose(qkv, num_heads, window_size) if _backend == 'auto' else _backend
    if name == 'triton':
        return triton_attention(qkv, padding_value, bias, num_heads, window_size, padding, mask_padding, scale)

    bias = None if bias is None else bias.to(qkv.dtype)
    padding_value = padding_value.to(qkv.dtype)
    masked = mask_padding and any(padding)

    if name == 'batched' and not masked and torch.is_grad_enabled() and not torch.compiler.is_compiling():
        return BatchedWindowAttention.apply(qkv, padding_value, bias, num_heads, window_size, scale, padding)

    padded = padding.pad(qkv, padding_value)
    windows = partition_windows(padded, window_size, 3, num_heads)
    bias = None if bias is None else bias[None]
    if masked:
        keys = padding.pad(qkv.new_zeros(1, *qkv.shape[1:3], 1), qkv.new_full((1, ), float('-inf')))
        keys = partition_windows(keys, window_size)[0].transpose(2, 3).repeat(qkv.shape[0], 1, 1, 1)
        bias = keys if bias is None else bias + keys
    out = _BACKENDS[name](windows, bias, scale)
    return padding.crop(merge_windows(out[None], window_size, padded.shape[1:3]))


def _choose(qkv: Tensor, num_heads: int, window_size: tuple[int, int]) -> str:
    if qkv.device.type == 'cpu':
        return 'batched'
    if (qkv.is_cuda and unsupported(qkv, num_heads, window_size) is None and not _exporting()
            and not torch.jit.is_tracing() and usable(qkv.device.index)):
        return 'triton'
    return 'fused'


def _exporting() -> bool:
    """A graph that is exported holds PyTorch's operators alone."""
    return torch.compiler.is_compiling() and not torch.compiler.is_dynamo_compiling()


def _plain(windows: Tensor, bias: Optional[Tensor], scale: float) -> Tensor:
    q, k, v = windows.unbind(0)
    product = (q * scale) @ k.transpose(-2, -1)
    if bias is not None:
        product = product + bias
    return torch.softmax(product, dim=-1) @ v


def _fused(windows: Tensor, bias: Optional[Tensor], scale: float) -> Tensor:
    return F.scaled_dot_product_attention(*windows.unbind(0), attn_mask=bias, scale=scale)


def _batched(windows: Tensor, bias: Optional[Tensor], scale: float) -> Tensor:
    # What is compiled for training differentiates PyTorch's operators.
    if torch.is_grad_enabled() or _exporting():
        return _plain(windows, bias, scale)
    return attend(windows, bias, scale)


_BACKENDS = {'batched': _batched, 'fused': _fused, 'plain': _plain}
