"""The HRFormer block (section 3.1, figure 1)."""

from typing import Any

from mmcv.cnn.bricks import DropPath
from torch import Tensor, nn

from .attention import WindowAttention
from .ffn import DepthwiseFFN


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
        recompute (bool): Whether the backward pass makes anew what is cheap to make: norms and GELUs of the FFN,
            windows and probabilities of attention.
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
                 recompute: bool = False) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, eps=1e-6)
        # Released checkpoints call the attention `attn.attn`.
        self.attn = nn.ModuleDict(
            {'attn': WindowAttention(channels, num_heads, window_size, with_rpe, with_pad_mask, recompute)})
        self.norm2 = nn.LayerNorm(channels, eps=1e-6)
        self.ffn = DepthwiseFFN(channels, int(channels * mlp_ratio), norm_cfg, recompute)
        self.drop_path = DropPath(drop_path) if drop_path > 0 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H, W), quickest in channels-last memory, where no copy is made between the two."""
        x = x.permute(0, 2, 3, 1)
        x = x + self.drop_path(self.attn['attn'](self.norm1(x)))
        y = self.ffn(self.norm2(x).permute(0, 3, 1, 2))
        return x.permute(0, 3, 1, 2) + self.drop_path(y)
