"""Deployment form of a block and its parts."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..layers import DepthwiseFFN, HRFormerBlock, LocalWindowAttention
from ..ops import (
    Padding,
    attention,
    centred_padding,
    mask_bias,
    merge_windows,
    padding_mask,
    partition_windows,
    shift_mask,
)
from ..ops.attention import HEAD_MULTIPLE
from .attention import batched_attention
from .packed_conv import PackedConv
from .row_tiles import needs_row_tiles, row_tiles
from .window_rows import WindowRows, gather_windows, scatter_windows, window_rows


class DeployFFN(nn.Module):
    """Deployment form of a :class:`DepthwiseFFN`: each convolution is fused with its GELU.

    Args:
        ffn (DepthwiseFFN): FFN with folded batch norms.
    """

    def __init__(self, ffn: DepthwiseFFN) -> None:
        super().__init__()
        self.fc1, self.fc2 = PackedConv(ffn.fc1, 'gelu'), PackedConv(ffn.fc2, 'gelu')
        self.dw3x3 = nn.Identity() if ffn.dw3x3 is None else PackedConv(ffn.dw3x3, 'gelu')

    def forward(self, x: Tensor, rows: slice = slice(None)) -> Tensor:
        """Apply the FFN to a map (N, C, H, W) and return the given rows of the output. Default: all rows."""
        return self.fc2(self.dw3x3(self.fc1(x))[:, :, rows])


class DeployAttention(nn.Module):
    """Deployment form of a :class:`LocalWindowAttention`.

    The projections contain the scale and pad each head with zeros, and the relative position bias is a buffer. The map
    is projected before it is padded, with the bias of the projection.

    Args:
        attention (LocalWindowAttention): Module whose weights are copied.
    """

    bias: Tensor | None

    def __init__(self, attention: LocalWindowAttention) -> None:
        super().__init__()
        inner = attention.attn
        heads, channels = inner.num_heads, inner.proj.in_features
        size = channels // heads
        self.num_heads, self.window_size = heads, attention.window_size
        self.with_pad_mask, self.shift = attention.with_pad_mask, attention.shift
        self.implementation = inner.implementation

        def pad_heads(x: Tensor, dim: int, parts: int) -> Tensor:
            """Pad each head along a dimension of size parts * heads * size."""
            x = x.unflatten(dim, (parts * heads, size)).movedim(dim + 1, -1)
            return F.pad(x, (0, -size % HEAD_MULTIPLE)).movedim(-1, dim + 1).flatten(dim, dim + 1)

        weight, bias = inner.qkv.weight.detach(), inner.qkv.bias.detach()
        scale = torch.ones(3, channels, dtype=torch.float64, device=weight.device)
        scale[0] = size**-0.5
        scale = scale.flatten()
        self.qkv = PackedConv.from_weight(
            pad_heads((weight * scale[:, None]).to(weight.dtype), 0, 3), pad_heads((bias * scale).to(bias.dtype), 0, 3)
        )
        self.proj = PackedConv.from_weight(pad_heads(inner.proj.weight.detach(), 1, 1), inner.proj.bias.detach())
        table = inner.relative_position_bias()
        self.register_buffer('bias', None if table is None else table.detach().contiguous())

    def forward(self, x: Tensor, padding: Padding | None = None) -> Tensor:
        """Apply attention within the windows of a map.

        Args:
            x (Tensor): Map, or a tile of a map, of shape (N, H, W, C).
            padding (Padding, optional): Padding of a tile to a multiple of the window size. Default: that of
                :func:`centred_padding`.

        Returns:
            Tensor: Map of shape (N, H, W, C).
        """
        size = x.shape[1:3]
        padding = centred_padding(size, self.window_size) if padding is None else padding
        if x.device.type == 'cpu' and self.qkv.bias is not None and not (torch.is_grad_enabled() or _is_traced()):
            return self._attend_by_rows(x, padding, self.qkv.bias)
        if self.qkv.bias is None or torch.compiler.is_exporting():  # a single operator pads maps of any size
            qkv = _project(self.qkv, padding.pad(x))  # which projects the padding to the bias
        else:
            qkv = _pad(_project(self.qkv, x), padding, self.qkv.bias)
        shifted = self.is_shifted(size)
        if shifted:
            qkv = qkv.roll((-self.shift[0], -self.shift[1]), (1, 2))
        q, k, v = partition_windows(qkv, self.window_size, 3, self.num_heads).unbind(0)
        out = self._attend(q, k, v, self.masked_bias(qkv, size, padding))
        out = merge_windows(out, self.window_size, qkv.shape[1:3])
        out = out.roll(self.shift, (1, 2)) if shifted else out
        return _project(self.proj, padding.crop(out))

    def _attend_by_rows(self, x: Tensor, padding: Padding, bias: Tensor) -> Tensor:
        height, width = x.shape[1:3]
        rows = self.window_rows((height, width), padding)
        windows = gather_windows(_project(self.qkv, x), bias, rows)
        q, k, v = windows.view(3, -1, self.num_heads, math.prod(self.window_size), windows.shape[3]).unbind(0)
        out = self._attend(q, k, v, self.masked_bias(x, (height, width), padding))
        return _project(self.proj, scatter_windows(out.view(windows.shape[1:]), rows, (height, width)))

    def window_rows(self, size: tuple[int, int], padding: Padding) -> WindowRows:
        """Compute the indices of the rows of a map and of its windows, see :func:`.window_rows.window_rows`."""
        shift = self.shift if self.is_shifted(size) else (0, 0)
        return window_rows(size, self.window_size, padding, shift, self.num_heads)

    def is_shifted(self, size: Sequence[int]) -> bool:
        """Return whether windows are shifted for maps of this size, that is, if no window spans a whole side."""
        return any(self.shift) and all(own > window for own, window in zip(size, self.window_size))

    def masked_bias(self, like: Tensor, size: Sequence[int], padding: Padding) -> Tensor | None:
        """Compute the bias of the attention scores, including masks, for N maps of the same size.

        Args:
            like (Tensor): Tensor (N, ...) that provides the dtype and device.
            size (Sequence[int]): Height and width of the map before padding.
            padding (Padding): Padding of the map to a multiple of the window size.

        Returns:
            Tensor: Bias of shape (1 or N * windows, heads, L, L), or None if there is neither a bias nor a mask.
        """
        if self.is_shifted(size):
            padded = size[0] + padding.top + padding.bottom, size[1] + padding.left + padding.right
            mask = shift_mask(padded, self.window_size, self.shift, like.device)
        elif self.with_pad_mask:
            mask = padding_mask(size, self.window_size, padding, like.device)
        else:
            return self.bias
        return mask_bias(self.bias, mask, like.shape[0], like)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
        if q.device.type != 'cpu' or self.implementation == 'sdpa':
            return attention(q, k, v, bias, 1.0, self.implementation or 'sdpa')
        # An exported graph must contain only PyTorch's own operators.
        if torch.is_grad_enabled() or torch.compiler.is_exporting() or torch.jit.is_tracing():
            return attention(q, k, v, bias, 1.0, 'plain')
        return batched_attention(q, k, v, None if bias is None else bias.to(q.dtype))


class DeployBlock(nn.Module):
    """Deployment form of an :class:`HRFormerBlock`. On the CPU it processes large maps in row tiles.

    Args:
        block (HRFormerBlock): Block with folded batch norms. An FFN with other norms remains unchanged.
    """

    def __init__(self, block: HRFormerBlock) -> None:
        super().__init__()
        self.norm1, self.attn, self.norm2 = block.norm1, DeployAttention(block.attn), block.norm2
        folded = all(
            norm is None or isinstance(norm, nn.Identity)
            for norm in (block.ffn.norm1, block.ffn.norm2, block.ffn.norm3)
        )
        self.ffn = DeployFFN(block.ffn) if folded else block.ffn
        self.hidden_channels = block.ffn.fc1.out_channels
        # A position depends only on its window and its neighbors, and unshifted windows do not cross tile borders.
        self.supports_tiles = folded and not any(block.attn.shift)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to a map (N, C, H, W), ideally in channels-last memory; the output has the same shape."""
        x = x.permute(0, 2, 3, 1)
        if self.supports_tiles and not torch.is_grad_enabled() and needs_row_tiles(x, self.hidden_channels):
            return self._run_in_row_tiles(x).permute(0, 3, 1, 2)
        x = self.attn(self.norm1(x)).add_(x)  # in place, because allocating memory takes longer than the sum
        return self.ffn(self.norm2(x).permute(0, 3, 1, 2)).add_(x.permute(0, 3, 1, 2))

    def _run_in_row_tiles(self, x: Tensor) -> Tensor:
        h, height = x.shape[1], self.attn.window_size[0]
        padding = centred_padding(x.shape[1:3], self.attn.window_size)
        attended = torch.empty_like(x)
        for images, rows in row_tiles(x, self.hidden_channels, height, padding.top):
            part = x[images, rows]
            own = Padding(
                padding.top if rows.start == 0 else 0,
                padding.bottom if rows.stop == h else 0,
                padding.left,
                padding.right,
            )
            torch.add(part, self.attn(self.norm1(part), own), out=attended[images, rows])
        out = torch.empty_like(x)
        for images, rows in row_tiles(x, self.hidden_channels):
            # The depth-wise convolution reads one row beyond the tile on each side.
            first, last = max(rows.start - 1, 0), min(rows.stop + 1, h)
            part = self.norm2(attended[images, first:last]).permute(0, 3, 1, 2)
            part = self.ffn(part, slice(rows.start - first, rows.stop - first)).permute(0, 2, 3, 1)
            torch.add(attended[images, rows], part, out=out[images, rows])
        return out


def _is_traced() -> bool:
    return torch.compiler.is_compiling() or torch.jit.is_tracing()


def _project(conv: PackedConv, x: Tensor) -> Tensor:
    """Apply a 1x1 convolution to a map (N, H, W, C)."""
    return conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def _pad(x: Tensor, padding: Padding, value: Tensor) -> Tensor:
    """Pad a map (N, H, W, C) with the vector `value` of shape (C,)."""
    if not any(padding):
        return x
    n, h, w, c = x.shape
    out = x.new_empty(n, h + padding.top + padding.bottom, w + padding.left + padding.right, c)
    bottom, right = padding.top + h, padding.left + w
    out[:, padding.top : bottom, padding.left : right] = x
    for border in (
        out[:, : padding.top],
        out[:, bottom:],
        out[:, padding.top : bottom, : padding.left],
        out[:, padding.top : bottom, right:],
    ):
        border.copy_(value.to(x.dtype).expand_as(border))
    return out
