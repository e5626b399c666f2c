"""The feed-forward network whose 3x3 depth-wise convolution carries information across windows (section 3.1)."""

from typing import Any

import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from torch import Tensor, nn


class DepthwiseFFN(nn.Module):
    """1x1 convolution, 3x3 depth-wise convolution, 1x1 convolution, each followed by a norm and GELU.

    Args:
        channels (int): Channels of input and output.
        hidden_channels (int): Channels between the two 1x1 convolutions.
        norm_cfg (dict): The norm after each convolution.
    """

    def __init__(self, channels: int, hidden_channels: int, norm_cfg: dict[str, Any]) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, hidden_channels, 1)
        self.norm1 = build_norm_layer(norm_cfg, hidden_channels)[1]
        self.dw3x3 = nn.Conv2d(hidden_channels, hidden_channels, 3, padding=1, groups=hidden_channels)
        self.norm2 = build_norm_layer(norm_cfg, hidden_channels)[1]
        self.fc2 = nn.Conv2d(hidden_channels, channels, 1)
        self.norm3 = build_norm_layer(norm_cfg, channels)[1]

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H, W)."""
        x = F.gelu(self.norm1(self.fc1(x)))
        x = F.gelu(self.norm2(self.dw3x3(x)))
        return F.gelu(self.norm3(self.fc2(x)))
