"""The feed-forward network whose 3x3 depth-wise convolution carries information across windows (section 3.1)."""

from functools import partial
from typing import Any

import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from torch import Tensor, nn

from .checkpointing import checkpointed


class DepthwiseFFN(nn.Module):
    """1x1 convolution, 3x3 depth-wise convolution, 1x1 convolution, each followed by a norm and GELU.

    Args:
        channels (int): Channels of input and output.
        hidden_channels (int): Channels between the two 1x1 convolutions.
        norm_cfg (dict): The norm after each convolution.
        recompute (bool): Whether the backward pass makes the norms' and GELUs' outputs anew, in place of keeping them.
    """

    def __init__(self, channels: int, hidden_channels: int, norm_cfg: dict[str, Any], recompute: bool = False) -> None:
        super().__init__()
        self.recompute = recompute
        self.fc1 = nn.Conv2d(channels, hidden_channels, 1)
        self.norm1 = build_norm_layer(norm_cfg, hidden_channels)[1]
        self.dw3x3 = nn.Conv2d(hidden_channels, hidden_channels, 3, padding=1, groups=hidden_channels)
        self.norm2 = build_norm_layer(norm_cfg, hidden_channels)[1]
        self.fc2 = nn.Conv2d(hidden_channels, channels, 1)
        self.norm3 = build_norm_layer(norm_cfg, channels)[1]

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H, W)."""
        x = self.fc1(x)
        for norm, following in ((self.norm1, self.dw3x3), (self.norm2, self.fc2), (self.norm3, nn.Identity())):
            step = partial(_activate, norm, following)
            x = checkpointed(step, x, owner=norm) if self.recompute else step(x)
        return x


def _activate(norm: nn.Module, following: nn.Module, x: Tensor) -> Tensor:
    return following(F.gelu(norm(x)))
