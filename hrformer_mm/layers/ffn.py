"""The feed-forward network whose 3x3 depth-wise convolution exchanges information across windows (section 3.1)."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from .conv import PointwiseConv
from .norm import norm_layer


class DepthwiseFFN(nn.Module):
    """1x1 convolution, 3x3 depth-wise convolution, 1x1 convolution, each followed by a norm and GELU.

    Args:
        channels (int): Channels of the input and the output.
        hidden_channels (int): Channels between the two 1x1 convolutions.
        norm_cfg (dict): The norm after each convolution.
        with_dwconv (bool): Include the depth-wise convolution, with its norm and GELU (the paper's table 7 compares
            both). Default: True.
    """

    def __init__(self, channels: int, hidden_channels: int, norm_cfg: dict[str, Any], with_dwconv: bool = True) -> None:
        super().__init__()
        self.fc1 = PointwiseConv(channels, hidden_channels, 1)
        self.norm1 = norm_layer(norm_cfg, hidden_channels)
        self.dw3x3 = self.norm2 = None
        if with_dwconv:
            self.dw3x3 = nn.Conv2d(hidden_channels, hidden_channels, 3, padding=1, groups=hidden_channels)
            self.norm2 = norm_layer(norm_cfg, hidden_channels)
        self.fc2 = PointwiseConv(hidden_channels, channels, 1)
        self.norm3 = norm_layer(norm_cfg, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H, W)."""
        x = _gelu(self.norm1(self.fc1(x)))
        if self.dw3x3 is not None:
            x = _gelu(self.norm2(self.dw3x3(x)))
        return _gelu(self.norm3(self.fc2(x)))


def _gelu(x: Tensor) -> Tensor:
    # oneDNN, which takes half the time, only accepts contiguous tensors: the view of a channels-last map is one.
    return F.gelu(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
