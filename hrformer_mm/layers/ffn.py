"""Feed-forward network whose 3x3 depth-wise convolution exchanges information across windows (section 3.1)."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from .conv import PointwiseConv
from .norm import norm_layer


class DepthwiseFFN(nn.Module):
    """FFN of a 1x1, a 3x3 depth-wise and a 1x1 convolution, each followed by a norm and GELU.

    Args:
        channels (int): Number of input and output channels.
        hidden_channels (int): Number of channels between the two 1x1 convolutions.
        norm_cfg (dict): Config of the norm after each convolution.
        with_dwconv (bool): Include the depth-wise convolution with its norm and GELU (ablation: paper, table 7).
            Default: True.
    """

    def __init__(self, channels: int, hidden_channels: int, norm_cfg: dict[str, Any], with_dwconv: bool = True) -> None:
        super().__init__()
        self.fc1 = PointwiseConv(channels, hidden_channels, 1)
        self.norm1 = norm_layer(norm_cfg, hidden_channels)
        self.dw3x3: nn.Conv2d | None = None
        self.norm2: nn.Module | None = None
        if with_dwconv:
            self.dw3x3 = nn.Conv2d(hidden_channels, hidden_channels, 3, padding=1, groups=hidden_channels)
            self.norm2 = norm_layer(norm_cfg, hidden_channels)
        self.fc2 = PointwiseConv(hidden_channels, channels, 1)
        self.norm3 = norm_layer(norm_cfg, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the FFN to a map (N, C, H, W); the output has the same shape."""
        x = _gelu(self.norm1(self.fc1(x)))
        if self.dw3x3 is not None and self.norm2 is not None:
            x = _gelu(self.norm2(self.dw3x3(x)))
        return _gelu(self.norm3(self.fc2(x)))


def _gelu(x: Tensor) -> Tensor:
    # oneDNN halves the time, but accepts only contiguous tensors, such as this view of a channels-last map.
    return F.gelu(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
