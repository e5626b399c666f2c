"""A convolution whose weight is laid out once for oneDNN, with the activation in the same step."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_ACTIVATIONS = {'none': lambda x: x, 'relu': F.relu, 'gelu': F.gelu}


class PackedConv(nn.Module):
    """`activation(conv(x))` for inference.

    On the CPU, in float32 and bfloat16, it is one call of oneDNN on a weight in oneDNN's own layout, which a plain
    call makes anew each time. Elsewhere, while a graph is traced, and where a gradient is wanted, it is the
    convolution and then the activation.

    Args:
        conv (nn.Conv2d): The convolution; its weight and bias are taken over.
        activation (str): 'none', 'relu' or 'gelu' (exact).
    """

    def __init__(self, conv: nn.Conv2d, activation: str = 'none') -> None:
        super().__init__()
        self.weight = nn.Parameter(conv.weight.detach(), requires_grad=False)
        self.bias = None if conv.bias is None else nn.Parameter(conv.bias.detach(), requires_grad=False)
        self.arguments = (conv.stride, conv.padding, conv.dilation, conv.groups)
        self.activation = activation
        self._packed: Any = None

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, O, H', W'), in channels-last memory."""
        stride, padding, dilation, groups = self.arguments
        if not self._can_pack(x):
            x = F.conv2d(x, self.weight, self.bias, stride, padding, dilation, groups)
            return _ACTIVATIONS[self.activation](x)
        x = x.contiguous(memory_format=torch.channels_last)
        if self._packed is None:
            self._packed = torch.ops.mkldnn._reorder_convolution_weight(
                self.weight, padding, stride, dilation, groups, list(x.shape))
        return torch.ops.mkldnn._convolution_pointwise(x, self._packed, self.bias, padding, stride, dilation, groups,
                                                       self.activation, [], 'none')

    def _can_pack(self, x: Tensor) -> bool:
        if torch.compiler.is_compiling() or torch.jit.is_tracing() or x.device.type != 'cpu' or x.requires_grad:
            return False
        if x.dtype != self.weight.dtype or not x.numel() or torch.is_autocast_enabled('cpu'):
            return False
        return torch.backends.mkldnn.is_available() and (x.dtype == torch.float32 or
                                                         (x.dtype == torch.bfloat16 and
                                                          torch.ops.mkldnn._is_mkldnn_bf16_supported()))

    def _apply(self, fn: Any, recurse: bool = True) -> 'PackedConv':
        self._packed = None  # another device or dtype
        return super()._apply(fn, recurse)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, '_packed': None}  # is of this process alone

    def extra_repr(self) -> str:
        return f'{tuple(self.weight.shape)}, activation={self.activation!r}'
