"""Convolution with a weight that is packed once for oneDNN and a fused activation."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_ACTIVATIONS = {'none': lambda x: x, 'gelu': F.gelu}  # no ReLU: oneDNN's maps NaN to 0


class PackedConv(nn.Module):
    """Convolution with a fused activation for inference.

    On the CPU, in float32 and bfloat16, it is a single call of oneDNN with a packed weight, whereas `nn.Conv2d` packs
    its weight in each call. On other devices, while a graph is traced, and if the input requires a gradient, it falls
    back to the convolution followed by the activation.

    Args:
        conv (nn.Conv2d): Convolution whose weight and bias are copied.
        activation (str): 'none' or 'gelu' (exact). Default: 'none'.
    """

    def __init__(self, conv: nn.Conv2d, activation: str = 'none') -> None:
        super().__init__()
        self.weight = nn.Parameter(conv.weight.detach().clone(), requires_grad=False)
        self.bias = None if conv.bias is None else nn.Parameter(conv.bias.detach().clone(), requires_grad=False)
        self.arguments = (conv.stride, conv.padding, conv.dilation, conv.groups)
        self.activation = activation
        self._packed: Any = None  # (version and address of the weight, packed weight)

    @classmethod
    def from_weight(cls, weight: Tensor, bias: Tensor | None) -> 'PackedConv':
        """Build a 1x1 convolution from the weight (O, C) and bias (O,) of a linear projection."""
        conv = nn.Conv2d(weight.shape[1], weight.shape[0], 1, bias=bias is not None, device='meta')
        conv.weight = nn.Parameter(weight[:, :, None, None], requires_grad=False)
        conv.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)
        return cls(conv)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve a map (N, C, H, W) to (N, O, H', W'), in channels-last memory on the fast path."""
        stride, padding, dilation, groups = self.arguments
        if not self._can_pack(x):
            x = F.conv2d(x, self.weight, self.bias, stride, padding, dilation, groups)
            return _ACTIVATIONS[self.activation](x)
        x = x.contiguous(memory_format=torch.channels_last)
        return torch.ops.mkldnn._convolution_pointwise(
            x, self._pack(x), self.bias, padding, stride, dilation, groups, self.activation, [], 'none'
        )

    def _pack(self, x: Tensor) -> Tensor:
        current = (self.weight._version, self.weight.data_ptr())  # changes when the weight is loaded or modified
        if self._packed is None or self._packed[0] != current:
            stride, padding, dilation, groups = self.arguments
            self._packed = (
                current,
                torch.ops.mkldnn._reorder_convolution_weight(
                    self.weight, padding, stride, dilation, groups, list(x.shape)
                ),
            )
        return self._packed[1]

    def _can_pack(self, x: Tensor) -> bool:
        if torch.compiler.is_compiling() or torch.jit.is_tracing() or x.device.type != 'cpu' or x.requires_grad:
            return False
        if x.dtype != self.weight.dtype or not x.numel() or torch.is_autocast_enabled('cpu'):
            return False
        return torch.backends.mkldnn.is_available() and (
            x.dtype == torch.float32 or (x.dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, '_packed': None}  # packed weights cannot be pickled or copied

    def extra_repr(self) -> str:
        return f'{tuple(self.weight.shape)}, activation={self.activation!r}'
