"""Convolutions, and their combination with a norm and an activation."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .norm import norm_layer


class PointwiseLinear(nn.Linear):
    """A linear projection of every position of a map."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, H, W, C) to (N, H, W, O)."""
        # The 1x1 convolution of oneDNN takes half the time of MKL's matrix product on a CPU that MKL does not know. A
        # tensor subclass in place of the weight, for example a quantized one, implements linear().
        if x.device.type == 'cpu' and x.dtype != torch.float64 and type(self.weight) in (Tensor, nn.Parameter):
            return F.conv2d(x.permute(0, 3, 1, 2), self.weight[:, :, None, None], self.bias).permute(0, 2, 3, 1)
        return super().forward(x)


class PointwiseConv(nn.Conv2d):
    """A 1x1 convolution; its arguments are those of `nn.Conv2d`, from which adapters construct their own layers."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, O, H, W)."""
        if x.device.type == 'cpu' or (x.dtype == torch.float32 and not torch.is_autocast_enabled('cuda')):
            return super().forward(x)
        # A matrix product adds the bias in its epilogue, which cuDNN does in a pass of its own. In float32 cuDNN uses
        # TF32 by default, and matrix products do not.
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
    """Build a padded convolution, a norm and optionally a ReLU, to be chained in an `nn.Sequential`."""
    modules = [
        nn.Conv2d(in_channels, out_channels, kernel_size, stride, kernel_size // 2, groups=groups, bias=bias),
        norm_layer(norm_cfg, out_channels),
    ]
    return modules + [nn.ReLU()] if relu else modules
