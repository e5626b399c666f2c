"""Local-window self-attention with a relative position bias (HRFormer, section 3.1)."""

from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..ops import Padding, project, relative_position_index, window_attention
from .norm_project import norm_project


class WindowAttention(nn.Module):
    """Multi-head self-attention within windows that do not overlap.

    Args:
        channels (int): Channels of the map.
        num_heads (int): Heads; they divide the channels.
        window_size (tuple[int, int]): Height and width of a window.
        with_rpe (bool): Whether the relative position bias is added. The authors' pose weights go without it.
        with_pad_mask (bool): Whether padded places are left out of the softmax. No released weights do so.
        shifted (bool): Whether the windows are moved by half their size, as in every other block of Swin; not with
            `with_pad_mask`, since a window at the border may then hold nothing else.
    """

    def __init__(self,
                 channels: int,
                 num_heads: int,
                 window_size: tuple[int, int],
                 with_rpe: bool = True,
                 with_pad_mask: bool = False,
                 shifted: bool = False) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.window_size = window_size
        self.with_pad_mask = with_pad_mask
        self.shift = (window_size[0] // 2, window_size[1] // 2) if shifted else (0, 0)
        self.relative_position_bias_table = None
        if with_rpe:
            rows = (2 * window_size[0] - 1) * (2 * window_size[1] - 1)
            self.relative_position_bias_table = nn.Parameter(torch.empty(rows, num_heads))
            nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
            self.register_buffer('relative_position_index', relative_position_index(window_size))
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)

    def forward(self, x: Tensor, norm: Optional[nn.Module] = None, padding: Optional[Padding] = None) -> Tensor:
        """(N, H, W, C) to (N, H, W, C).

        Args:
            x (Tensor): The map.
            norm (nn.Module, optional): Applied to it first.
            padding (Padding, optional): For a part of a map, see :func:`window_attention`.
        """
        return self.project(self.attend(x, norm, padding))

    def attend(self, x: Tensor, norm: Optional[nn.Module] = None, padding: Optional[Padding] = None) -> Tensor:
        """All but the last projection."""
        qkv = norm_project(x, norm, self.qkv, lambda x: project(x, self.qkv.weight, self.qkv.bias))
        return window_attention(qkv, self.qkv.bias, self.num_heads, self.window_size, self.relative_position_bias(),
                                self.with_pad_mask, padding=padding, shift=self.shift)

    def project(self, x: Tensor) -> Tensor:
        """The last projection."""
        return project(x, self.proj.weight, self.proj.bias)

    def relative_position_bias(self) -> Optional[Tensor]:
        """The bias of every (query, key) pair, (heads, L, L), or None."""
        if self.relative_position_bias_table is None:
            return None
        return F.embedding(self.relative_position_index, self.relative_position_bias_table).permute(2, 0, 1)

    def extra_repr(self) -> str:
        return (f'num_heads={self.num_heads}, window_size={self.window_size}, with_pad_mask={self.with_pad_mask}, '
                f'shift={self.shift}')
