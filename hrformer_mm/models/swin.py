"""Swin with HRFormer's depth-wise convolution in its FFNs (HRFormer, table 8), built on mmpretrain."""

from functools import partial
from typing import Any

from mmpretrain.models.backbones import SwinTransformer
from mmpretrain.models.backbones.swin_transformer import SwinBlock
from torch import Tensor, nn

from ..layers import DepthwiseFFN, run_checkpointed
from ..registry import MODELS


class DepthwiseSwinBlock(nn.Module):
    """Swin block whose FFN is a :class:`DepthwiseFFN`.

    Args:
        block (SwinBlock): Block that provides the norms, the attention, the sizes and the drop path rate.
        norm_cfg (dict): Config of the norms of the FFN.
    """

    def __init__(self, block: SwinBlock, norm_cfg: dict[str, Any]) -> None:
        super().__init__()
        self.with_cp = block.with_cp
        self.norm1, self.attn, self.norm2 = block.norm1, block.attn, block.norm2
        self.ffn = DepthwiseFFN(block.ffn.embed_dims, block.ffn.feedforward_channels, norm_cfg)
        self.drop_path = block.ffn.dropout_layer

    def forward(self, x: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        """Apply the block to tokens (N, H * W, C), where `hw_shape` is (H, W); the output has the same shape."""
        return run_checkpointed(partial(self._forward, hw_shape=hw_shape), x, self.with_cp, self)

    def _forward(self, x: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        x = x + self.attn(self.norm1(x), hw_shape)
        maps = self.norm2(x).unflatten(1, hw_shape).permute(0, 3, 1, 2)
        return x + self.drop_path(self.ffn(maps).permute(0, 2, 3, 1).flatten(1, 2))


@MODELS.register_module()
class DepthwiseSwinTransformer(SwinTransformer):
    """mmpretrain's `SwinTransformer` with a 3x3 depth-wise convolution in each FFN.

    `stage_cfgs=dict(block_cfgs=dict(shift=False))` disables shifted windows ("IntraWin" in table 8).

    Args:
        *args, **kwargs: Arguments of mmpretrain's `SwinTransformer`. Arguments of its FFN, for example `ffn_cfgs`, have
            no effect.
        ffn_norm_cfg (dict): Config of the norms of the FFNs. Default: dict(type='BN').
    """

    def __init__(self, *args: Any, ffn_norm_cfg: dict[str, Any] = dict(type='BN'), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for stage in self.stages:
            for i, block in enumerate(stage.blocks):
                stage.blocks[i] = DepthwiseSwinBlock(block, ffn_norm_cfg)
        self._freeze_stages()
