"""The deployment form of a block and its parts."""

import math

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
from .window_rows import gather_windows, scatter_windows, window_rows


class DeployFFN(nn.Module):
    """A :class:`DepthwiseFFN` with folded norms; each convolution and its GELU are one step.

    Args:
        ffn (DepthwiseFFN): Its batch norms are folded.
    """

    def __init__(self, ffn: DepthwiseFFN) -> None:
        super().__init__()
        self.fc1, self.fc2 = PackedConv(ffn.fc1, 'gelu'), PackedConv(ffn.fc2, 'gelu')
        self.dw3x3 = nn.Identity() if ffn.dw3x3 is None else PackedConv(ffn.dw3x3, 'gelu')

    def forward(self, x: Tensor, rows: slice = slice(None)) -> Tensor:
        """(N, C, H, W) to (N, C, H, W), or to those rows of it that are asked for."""
        return self.fc2(self.dw3x3(self.fc1(x))[:, :, rows])


class DeployAttention(nn.Module):
    """A :class:`LocalWindowAttention` whose projections contain the scale and heads padded with zeros, and whose bias
    is looked up. The map is padded after the projection, with its bias.

    Args:
        attention (LocalWindowAttention): Its weights are copied.
    """

    def __init__(self, attention: LocalWindowAttention) -> None:
        super().__init__()
        inner = attention.attn
        heads, channels = inner.num_heads, inner.proj.in_features
        size = channels // heads
        self.num_heads, self.window_size = heads, attention.window_size
        self.with_pad_mask, self.shift = attention.with_pad_mask, attention.shift
        self.implementation = inner.implementation

        def pad_heads(x: Tensor, dim: int, parts: int) -> Tensor:
            """Pad every head of every part along a dimension of parts * heads * size."""
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
        """Attend within the windows of a map.

        Args:
            x (Tensor): (N, H, W, C).
            padding (Padding, optional): The padding to whole windows of a tile of a map. Default: centred.

        Returns:
            Tensor: (N, H, W, C).
        """
        size = x.shape[1:3]
        padding = centred_padding(size, self.window_size) if padding is None else padding
        if x.device.type == 'cpu' and not (torch.is_grad_enabled() or _is_traced()):
            return self._attend_by_rows(x, padding)
        if torch.compiler.is_exporting():  # one operator for any size; padded positions are projected to the bias
            qkv = _project(self.qkv, padding.pad(x))
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

    def _attend_by_rows(self, x: Tensor, padding: Padding) -> Tensor:
        size = x.shape[1:3]
        shift = self.shift if self.is_shifted(size) else (0, 0)
        rows = window_rows(tuple(size), self.window_size, padding, shift, self.num_heads)
        windows = gather_windows(_project(self.qkv, x), self.qkv.bias, rows)
        q, k, v = windows.view(3, -1, self.num_heads, math.prod(self.window_size), windows.shape[3]).unbind(0)
        out = self._attend(q, k, v, self.masked_bias(x, size, padding))
        return _project(self.proj, scatter_windows(out.view(windows.shape[1:]), rows, size))

    def is_shifted(self, size: tuple[int, int]) -> bool:
        """Return whether the windows of a map of this size are shifted: they stay where one spans a side."""
        return any(self.shift) and all(own > window for own, window in zip(size, self.window_size))

    def masked_bias(self, like: Tensor, size: tuple[int, int], padding: Padding) -> Tensor | None:
        """Compute the bias of attention within the windows of N maps of one size, (1 or N * windows, heads, L, L).

        Args:
            like (Tensor): (N, ...), which provides the dtype and device.
            size (tuple[int, int]): Height and width of the map without its padding.
            padding (Padding): Its padding to whole windows.
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
        # An exported graph holds PyTorch's operators only.
        if torch.is_grad_enabled() or torch.compiler.is_exporting() or torch.jit.is_tracing():
            return attention(q, k, v, bias, 1.0, 'plain')
        return batched_attention(q, k, v, None if bias is None else bias.to(q.dtype))


class DeployBlock(nn.Module):
    """The deployment form of an :class:`HRFormerBlock`; on the CPU it processes large maps in tiles of rows.

    Args:
        block (HRFormerBlock): Its batch norms are folded. An FFN with other norms is kept.
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
        # A position depends on its window and its neighbors only, and windows do not cross the borders of tiles.
        self.supports_tiles = folded and not any(block.attn.shift)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H, W); fastest in channels-last memory."""
        x = x.permute(0, 2, 3, 1)
        if self.supports_tiles and not torch.is_grad_enabled() and needs_row_tiles(x, self.hidden_channels):
            return self._run_in_row_tiles(x).permute(0, 3, 1, 2)
        x = self.attn(self.norm1(x)).add_(x)  # in place: fresh memory takes longer than the sum
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
            # The depth-wise convolution reads one row beyond the tile.
            first, last = max(rows.start - 1, 0), min(rows.stop + 1, h)
            part = self.norm2(attended[images, first:last]).permute(0, 3, 1, 2)
            part = self.ffn(part, slice(rows.start - first, rows.stop - first)).permute(0, 2, 3, 1)
            torch.add(attended[images, rows], part, out=out[images, rows])
        return out


def _is_traced() -> bool:
    return torch.compiler.is_compiling() or torch.jit.is_tracing()


def _project(conv: PackedConv, x: Tensor) -> Tensor:
    """Apply a 1x1 convolution to (N, H, W, C)."""
    return conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def _pad(x: Tensor, padding: Padding, value: Tensor) -> Tensor:
    """Pad (N, H, W, C) with the vector `value`, (C,)."""
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
