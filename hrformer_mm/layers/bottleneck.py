"""ResNet's bottleneck: dense in stage 1, depth-wise in the classification neck."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from .conv import conv_norm
from .norm import norm_layer


class Bottleneck(nn.Module):
    """Residual block of a 1x1, a 3x3 and a 1x1 convolution.

    Args:
        in_channels (int): Number of input channels.
        channels (int): Number of channels of the 3x3 convolution. The output has four times as many.
        norm_cfg (dict): Config of the norm after each convolution.
        depthwise (bool): Make the 3x3 convolution depth-wise. Default: False.
    """

    expansion = 4

    def __init__(self, in_channels: int, channels: int, norm_cfg: dict[str, Any], depthwise: bool = False) -> None:
        super().__init__()
        out_channels = channels * self.expansion
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = norm_layer(norm_cfg, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, groups=channels if depthwise else 1, bias=False)
        self.bn2 = norm_layer(norm_cfg, channels)
        self.conv3 = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.bn3 = norm_layer(norm_cfg, out_channels)
        self.downsample: nn.Sequential | None = None
        if in_channels != out_channels:
            self.downsample = nn.Sequential(*conv_norm(in_channels, out_channels, norm_cfg))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to a map (N, in_channels, H, W) and return (N, 4 * channels, H, W)."""
        identity = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        return F.relu(self.bn3(self.conv3(x)) + identity)
