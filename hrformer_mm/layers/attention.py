"""Local-window self-attention with a relative position bias (HRFormer, section 3.1)."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..ops import (
    attention,
    centred_padding,
    mask_bias,
    merge_windows,
    padding_mask,
    partition_windows,
    relative_position_index,
    shift_mask,
)
from ..ops.attention import HEAD_MULTIPLE
from .conv import PointwiseLinear


class WindowAttention(nn.Module):
    """Multi-head self-attention within non-overlapping windows of a map.

    Args:
        channels (int): Number of input and output channels, a multiple of `num_heads`.
        num_heads (int): Number of attention heads.
        window_size (tuple[int, int]): Height and width of a window.
        with_rpe (bool): Add the relative position bias. Default: True.
        implementation (str, optional): 'sdpa' or 'plain', see :func:`hrformer_mm.ops.attention`. Default: 'plain' on
            the CPU, 'sdpa' elsewhere.
    """

    relative_position_index: Tensor

    def __init__(
        self,
        channels: int,
        num_heads: int,
        window_size: tuple[int, int],
        with_rpe: bool = True,
        implementation: str | None = None,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.window_size = window_size
        self.implementation = implementation
        self.relative_position_bias_table: nn.Parameter | None = None
        if with_rpe:
            rows = (2 * window_size[0] - 1) * (2 * window_size[1] - 1)
            self.relative_position_bias_table = nn.Parameter(torch.empty(rows, num_heads))
            nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
            self.register_buffer('relative_position_index', relative_position_index(window_size))
        self.qkv = PointwiseLinear(channels, 3 * channels)
        self.proj = PointwiseLinear(channels, channels)

    def forward(
        self, x: Tensor, mask: Tensor | None = None, restore: Callable[[Tensor], Tensor] = lambda x: x
    ) -> Tensor:
        """Apply attention within the windows of a map.

        Args:
            x (Tensor): Map of shape (N, H, W, C). H and W must be multiples of the window size.
            mask (Tensor, optional): Boolean mask of shape (windows per image, 1, 1 or L, L), where L is the number of
                positions of a window. True ignores a key.
            restore (callable): Function that is applied to the map before the output projection, for example to crop
                the padding, which then need not be projected. Default: identity.

        Returns:
            Tensor: Map of shape (N, H', W', C) with the height and width that `restore` returns.
        """
        size, head_size = x.shape[1:3], x.shape[3] // self.num_heads
        implementation = self.implementation or ('plain' if x.device.type == 'cpu' else 'sdpa')
        q, k, v = partition_windows(
            self.qkv(x), self.window_size, 3, self.num_heads, HEAD_MULTIPLE if implementation == 'sdpa' else 1
        ).unbind(0)
        bias = self.relative_position_bias()
        if mask is not None:
            bias = mask_bias(bias, mask, x.shape[0], q)
        out = attention(q, k, v, bias, head_size**-0.5, implementation)
        return self.proj(restore(merge_windows(out[..., :head_size], self.window_size, size)).contiguous())

    def relative_position_bias(self) -> Tensor | None:
        """Return the bias of all pairs of queries and keys, (1, heads, L, L), or None if `with_rpe` is False."""
        if self.relative_position_bias_table is None:
            return None
        return F.embedding(self.relative_position_index, self.relative_position_bias_table).permute(2, 0, 1)[None]

    def extra_repr(self) -> str:
        return f'num_heads={self.num_heads}, window_size={self.window_size}'


class LocalWindowAttention(nn.Module):
    """Window attention over a map of any size.

    The map is padded with zeros on all sides to a multiple of the window size. As in the authors' code, padded
    positions take part in the softmax; their keys and values are the biases of the projection.

    Args:
        channels, num_heads, window_size, with_rpe, implementation: See :class:`WindowAttention`.
        with_pad_mask (bool): Ignore padded positions in the softmax. No released weights were trained with it.
            Default: False.
        shifted (bool): Shift the windows by half their size, as every other block of Swin does. Incompatible with
            `with_pad_mask`, because a window at the border may then contain only padding. Default: False.
    """

    def __init__(
        self,
        channels: int,
        num_heads: int,
        window_size: tuple[int, int],
        with_rpe: bool = True,
        with_pad_mask: bool = False,
        shifted: bool = False,
        implementation: str | None = None,
    ) -> None:
        super().__init__()
        self.window_size = window_size
        self.with_pad_mask = with_pad_mask
        self.shift = (window_size[0] // 2, window_size[1] // 2) if shifted else (0, 0)
        self.attn = WindowAttention(channels, num_heads, window_size, with_rpe, implementation)

    def forward(self, x: Tensor) -> Tensor:
        """Apply attention to a map (N, H, W, C); the output has the same shape."""
        size = x.shape[1:3]
        padding = centred_padding(size, self.window_size)
        x = padding.pad(x)
        if self.with_pad_mask:
            return self.attn(x, padding_mask(size, self.window_size, padding, x.device), padding.crop)
        if any(self.shift) and torch.jit.is_tracing():
            raise NotImplementedError(
                'torch.jit.trace is not supported with shift_windows=True, because it would record the '
                'masks of one input size: use torch.export'
            )
        # As in Swin, windows are not shifted if one window spans the height or width of the map.
        if any(self.shift) and all(own > window for own, window in zip(size, self.window_size)):
            mask = shift_mask(x.shape[1:3], self.window_size, self.shift, x.device)
            x = x.roll((-self.shift[0], -self.shift[1]), (1, 2))
            return self.attn(x, mask, lambda x: padding.crop(x.roll(self.shift, (1, 2))))
        return self.attn(x, restore=padding.crop)

    def extra_repr(self) -> str:
        return f'with_pad_mask={self.with_pad_mask}, shift={self.shift}'
