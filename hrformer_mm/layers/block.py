"""HRFormer block (section 3.1, figure 1)."""

from typing import Any

from mmcv.cnn.bricks import DropPath
from torch import Tensor, nn

from .attention import LocalWindowAttention
from .ffn import DepthwiseFFN


class HRFormerBlock(nn.Module):
    """Transformer block with local-window attention and a depth-wise FFN.

    It computes ``x = x + attention(LN(x))`` and then ``x + FFN(LN(x))``. The LayerNorms have an eps of 1e-6.

    Args:
        channels (int): Number of input and output channels.
        num_heads (int): Number of attention heads.
        window_size (tuple[int, int]): Height and width of an attention window.
        mlp_ratio (float): Ratio of the hidden channels of the FFN to `channels`.
        drop_path (float): Probability of dropping a residual branch of a sample in training.
        norm_cfg (dict): Config of the norms of the FFN.
        with_dwconv (bool): Include the depth-wise convolution of the FFN. Default: True.
        with_rpe, with_pad_mask, shifted: See :class:`LocalWindowAttention`.
        attention (str, optional): `implementation` of :class:`LocalWindowAttention`. Default: None.
    """

    def __init__(
        self,
        channels: int,
        num_heads: int,
        window_size: tuple[int, int],
        mlp_ratio: float,
        drop_path: float,
        norm_cfg: dict[str, Any],
        with_dwconv: bool = True,
        with_rpe: bool = True,
        with_pad_mask: bool = False,
        shifted: bool = False,
        attention: str | None = None,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, eps=1e-6)
        self.attn = LocalWindowAttention(channels, num_heads, window_size, with_rpe, with_pad_mask, shifted, attention)
        self.norm2 = nn.LayerNorm(channels, eps=1e-6)
        self.ffn = DepthwiseFFN(channels, int(channels * mlp_ratio), norm_cfg, with_dwconv)
        self.drop_path = DropPath(drop_path) if drop_path > 0 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to a map (N, C, H, W); the output has the same shape.

        The block is fastest in channels-last memory, where both permutations are views.
        """
        x = x.permute(0, 2, 3, 1)
        x = x + self.drop_path(self.attn(self.norm1(x)))
        y = self.ffn(self.norm2(x).permute(0, 3, 1, 2))
        return x.permute(0, 3, 1, 2) + self.drop_path(y)
