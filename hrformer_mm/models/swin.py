"""Swin whose FFNs have HRFormer's depth-wise convolution (HRFormer, table 8); built on mmpretrain."""

from functools import partial
from typing import Any

from mmpretrain.models.backbones import SwinTransformer
from mmpretrain.models.backbones.swin_transformer import SwinBlock
from torch import Tensor, nn

from ..layers import DepthwiseFFN, run_checkpointed
from ..registry import MODELS


class DepthwiseSwinBlock(nn.Module):
    """A block of Swin with another FFN: 1x1, 3x3 depth-wise and 1x1 convolution, each with a norm and GELU.

    Args:
        block (SwinBlock): Provides the norms, the attention, the sizes and the drop path rate.
        norm_cfg (dict): The norms of the FFN.
    """

    def __init__(self, block: SwinBlock, norm_cfg: dict[str, Any]) -> None:
        super().__init__()
        self.with_cp = block.with_cp
        self.norm1, self.attn, self.norm2 = block.norm1, block.attn, block.norm2
        self.ffn = DepthwiseFFN(block.ffn.embed_dims, block.ffn.feedforward_channels, norm_cfg)
        self.drop_path = block.ffn.dropout_layer

    def forward(self, x: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        """Tokens (N, H * W, C) to (N, H * W, C); `hw_shape` is (H, W)."""
        return run_checkpointed(partial(self._forward, hw_shape=hw_shape), x, self.with_cp, self)

    def _forward(self, x: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        x = x + self.attn(self.norm1(x), hw_shape)
        maps = self.norm2(x).unflatten(1, hw_shape).permute(0, 3, 1, 2)
        return x + self.drop_path(self.ffn(maps).permute(0, 2, 3, 1).flatten(1, 2))


@MODELS.register_module()
class DepthwiseSwinTransformer(SwinTransformer):
    """mmpretrain's Swin with a 3x3 depth-wise convolution in every FFN.

    Without the shift of windows (IntraWin in table 8): `stage_cfgs=dict(block_cfgs=dict(shift=False))`.

    Args:
        ffn_norm_cfg (dict): The norms within the FFNs. Default: dict(type='BN').
        Others as of mmpretrain's `SwinTransformer`; `ffn_cfgs` and what else shapes its FFN has no effect.
    """

    def __init__(self, *args: Any, ffn_norm_cfg: dict[str, Any] = dict(type='BN'), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for stage in self.stages:
            for i, block in enumerate(stage.blocks):
                stage.blocks[i] = DepthwiseSwinBlock(block, ffn_norm_cfg)
        self._freeze_stages()
