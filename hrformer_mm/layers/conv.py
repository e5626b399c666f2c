"""Convolution and normalisation, as every part of the network that is not a transformer block uses them."""

from typing import Any

from torch import nn

from .norm import norm_layer


def conv_norm(in_channels: int,
              out_channels: int,
              norm_cfg: dict[str, Any],
              kernel_size: int = 1,
              stride: int = 1,
              groups: int = 1,
              bias: bool = False,
              relu: bool = False) -> list[nn.Module]:
    """A convolution that keeps the size (up to its stride), a norm and, if asked for, a ReLU, to put in a row."""
    modules = [
        nn.Conv2d(in_channels, out_channels, kernel_size, stride, kernel_size // 2, groups=groups, bias=bias),
        norm_layer(norm_cfg, out_channels)
    ]
    return modules + [nn.ReLU(inplace=True)] if relu else modules
