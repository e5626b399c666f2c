"""The HRFormer block (section 3.1, figure 1)."""

from typing import Any

import torch
from mmcv.cnn.bricks import DropPath
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..ops import Padding, by_kernels, centred_padding
from .attention import WindowAttention
from .checkpointing import checkpointed
from .ffn import DepthwiseFFN
from .strips import strips, worth_strips


class HRFormerBlock(nn.Module):
    """x + attention(LN(x)), then x + FFN(LN(x)).

    Args:
        channels (int): Channels of the map.
        num_heads (int): Attention heads.
        window_size (tuple[int, int]): Height and width of an attention window.
        mlp_ratio (float): Hidden channels of the FFN as a multiple of `channels`.
        drop_path (float): Probability that a sample skips a residual branch in training.
        norm_cfg (dict): The norms within the FFN. Those before attention and FFN are LayerNorms with eps 1e-6.
        with_rpe (bool): Whether attention has a relative position bias.
        with_pad_mask (bool): Whether attention leaves padded places out.
        recompute (bool): Whether the backward pass makes anew all but five maps: the block's input, what goes into
            the last projection of attention, the FFN's input, and what goes into its last two norms.
        with_dwconv (bool): Whether the FFN has its depth-wise convolution.
        shifted (bool): Whether the attention windows are moved by half their size.
    """

    def __init__(self,
                 channels: int,
                 num_heads: int,
                 window_size: tuple[int, int],
                 mlp_ratio: float,
                 drop_path: float,
                 norm_cfg: dict[str, Any],
                 with_rpe: bool = True,
                 with_pad_mask: bool = False,
                 recompute: bool = False,
                 with_dwconv: bool = True,
                 shifted: bool = False) -> None:
        super().__init__()
        self.hidden_channels = int(channels * mlp_ratio)
        self.window_size = window_size
        self.recompute = recompute
        self.norm1 = nn.LayerNorm(channels, eps=1e-6)
        # Released checkpoints call the attention `attn.attn`.
        self.attn = nn.ModuleDict(
            {'attn': WindowAttention(channels, num_heads, window_size, with_rpe, with_pad_mask, shifted)})
        self.norm2 = nn.LayerNorm(channels, eps=1e-6)
        self.ffn = DepthwiseFFN(channels, self.hidden_channels, norm_cfg, recompute, with_dwconv)
        self.drop_path = DropPath(drop_path) if drop_path > 0 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H, W), quickest in channels-last memory, where no copy is made between the two."""
        x = x.permute(0, 2, 3, 1)
        if worth_strips(x, self.hidden_channels) and self._is_local():
            return self._in_strips(x).permute(0, 3, 1, 2)
        x = _add(self.drop_path(self._attention(x)), x)
        return _add(self.drop_path(self._feed_forward(x)), x.permute(0, 3, 1, 2))

    def _attention(self, x: Tensor) -> Tensor:
        attention = self.attn['attn']
        if not self.recompute:
            return attention(x, self.norm1)
        return attention.project(checkpointed(lambda y: attention.attend(y, self.norm1), x, attention))

    def _feed_forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 3, 1, 2)
        if not self.recompute:
            return self.ffn(x, self.norm2)
        expand = checkpointed(lambda y: self.ffn.expand(y, self.norm2), x, self.ffn)
        return self.ffn.contract(expand)

    def _is_local(self) -> bool:
        """Whether a place's result depends on its window and neighbours alone, not on the whole map; and the windows
        lie where strips end."""
        return not self.training and not any(self.attn['attn'].shift) and all(
            isinstance(getattr(self.ffn, name, None), (_BatchNorm, nn.Identity, type(None)))
            for name in ('norm1', 'norm2', 'norm3'))

    def _in_strips(self, x: Tensor) -> Tensor:
        h, height = x.shape[1], self.window_size[0]
        padding = centred_padding(x.shape[1:3], self.window_size)
        attended = torch.empty_like(x)
        for images, rows in strips(x, self.hidden_channels, height, padding.top):
            part = x[images, rows]
            own = Padding(padding.top if rows.start == 0 else 0, padding.bottom if rows.stop == h else 0,
                          padding.left, padding.right)
            torch.add(part, self.attn['attn'](part, self.norm1, own), out=attended[images, rows])
        out = torch.empty_like(x)
        for images, rows in strips(x, self.hidden_channels):
            # The depth-wise convolution looks one row beyond the strip.
            first, last = max(rows.start - 1, 0), min(rows.stop + 1, h)
            part = attended[images, first:last].permute(0, 3, 1, 2)
            part = self.ffn.expand(part, self.norm2)[:, :, rows.start - first:rows.stop - first]
            part = self.ffn.contract(part).permute(0, 2, 3, 1)
            torch.add(attended[images, rows], part, out=out[images, rows])
        return out


def _add(branch: Tensor, x: Tensor) -> Tensor:
    """The sum, on the CPU in the memory of `branch`, which is new and nobody else's: there, fresh memory costs more
    than a sum. Elsewhere it costs nothing, and autograd would copy the gradient of a view that is overwritten."""
    return branch.add_(x) if x.device.type == 'cpu' and not by_kernels(x) else branch + x
