"""Pointwise layers, and the combination of a convolution with a norm and an activation."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .norm import norm_layer


class PointwiseLinear(nn.Linear):
    """Linear projection of every position of a map."""

    def forward(self, x: Tensor) -> Tensor:
        """Project a map (N, H, W, in_features) to (N, H, W, out_features)."""
        # oneDNN's 1x1 convolution takes half the time of MKL's matrix product on CPUs for which MKL is not optimized.
        # A weight that is a tensor subclass, for example a quantized tensor, implements linear() only.
        if x.device.type == 'cpu' and x.dtype != torch.float64 and type(self.weight) in (Tensor, nn.Parameter):
            return F.conv2d(x.permute(0, 3, 1, 2), self.weight[:, :, None, None], self.bias).permute(0, 2, 3, 1)
        return super().forward(x)


class PointwiseConv(nn.Conv2d):
    """1x1 convolution.

    The constructor takes the arguments of `nn.Conv2d`, because adapters construct their own layers from them.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Convolve a map (N, in_channels, H, W) to (N, out_channels, H, W)."""
        if x.device.type == 'cpu' or (x.dtype == torch.float32 and not torch.is_autocast_enabled('cuda')):
            return super().forward(x)
        # A matrix product adds the bias in its epilogue, whereas cuDNN needs a separate pass. In float32, only cuDNN
        # uses TF32 by default.
        return F.linear(x.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)


def conv_norm(
    in_channels: int,
    out_channels: int,
    norm_cfg: dict[str, Any],
    kernel_size: int = 1,
    stride: int = 1,
    groups: int = 1,
    bias: bool = False,
    relu: bool = False,
) -> list[nn.Module]:
    """Build a padded convolution, a norm and optionally a ReLU, for use in an `nn.Sequential`."""
    modules = [
        nn.Conv2d(in_channels, out_channels, kernel_size, stride, kernel_size // 2, groups=groups, bias=bias),
        norm_layer(norm_cfg, out_channels),
    ]
    return modules + [nn.ReLU()] if relu else modules
