"""The parts of a block as inference runs them."""

from typing import Optional

import torch
from torch import Tensor, nn

from ..kernels import triton_depthwise, triton_linear
from ..layers import DepthwiseFFN, HRFormerBlock, WindowAttention
from ..ops import Padding, by_kernels, window_attention
from .packed_conv import PackedConv

ALIGNMENT = 8  # channels of a head: what batched products and attention kernels like


def linear(x: Tensor,
           conv: PackedConv,
           norm: Optional[nn.LayerNorm] = None,
           residual: Optional[Tensor] = None) -> Tensor:
    """`residual + conv(norm(x))` of a 1x1 convolution and its activation, none or GELU, by one kernel.

    (N, H, W, C) to (N, H, W, O).
    """
    norms = (None, None, 0.0) if norm is None else (norm.weight, norm.bias, norm.eps)
    return triton_linear(x, conv.weight.flatten(1), conv.bias, *norms, conv.activation == 'gelu', residual)


class DeployFFN(nn.Module):
    """A :class:`DepthwiseFFN` whose norms are folded, each convolution with its GELU in one step."""

    def __init__(self, ffn: DepthwiseFFN) -> None:
        super().__init__()
        self.fc1, self.fc2 = PackedConv(ffn.fc1, 'gelu'), PackedConv(ffn.fc2, 'gelu')
        self.dw3x3 = nn.Identity() if ffn.dw3x3 is None else PackedConv(ffn.dw3x3, 'gelu')

    def forward(self, x: Tensor, norm: nn.Module) -> Tensor:
        """(N, C, H, W) to (N, C, H, W), after a norm over the last dimension of (N, H, W, C)."""
        return self.contract(self.expand(x, norm))

    def expand(self, x: Tensor, norm: nn.Module) -> Tensor:
        """(N, C, H, W) to (N, hidden, H, W), after the norm."""
        return self.dw3x3(self.fc1(norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)))

    def contract(self, x: Tensor) -> Tensor:
        """(N, hidden, H, W) to (N, C, H, W)."""
        return self.fc2(x)

    def add_by_kernels(self, x: Tensor, norm: nn.LayerNorm) -> Tensor:
        """x + FFN(norm(x)) of (N, H, W, C)."""
        y = linear(x, self.fc1, norm)
        if isinstance(self.dw3x3, PackedConv):
            y = triton_depthwise(y, self.dw3x3.weight, self.dw3x3.bias, True)
        return linear(y, self.fc2, residual=x)


class DeployAttention(nn.Module):
    """A :class:`WindowAttention` with its scale in the projection, its heads padded by zeros, its bias looked up."""

    def __init__(self, attention: WindowAttention) -> None:
        super().__init__()
        heads, channels = attention.num_heads, attention.proj.in_features
        size = channels // heads
        padded = -(-size // ALIGNMENT) * ALIGNMENT
        self.num_heads = heads
        self.window_size = attention.window_size
        self.with_pad_mask = attention.with_pad_mask
        self.shift = attention.shift

        def pad(x: Tensor, dim: int, parts: int) -> Tensor:
            """Pad every head of every part along a dimension of parts * heads * size."""
            x = x.unflatten(dim, (parts * heads, size))
            zeros = x.new_zeros(*x.shape[:dim + 1], padded - size, *x.shape[dim + 2:])
            return torch.cat([x, zeros], dim + 1).flatten(dim, dim + 1)

        scale = torch.ones(3, channels, dtype=torch.float64)
        scale[0] = size**-0.5
        qkv = nn.Conv2d(channels, 3 * heads * padded, 1)
        weight = attention.qkv.weight * scale.view(-1, 1).to(attention.qkv.weight)
        qkv.weight.data = pad(weight.detach(), 0, 3)[:, :, None, None]
        qkv.bias.data = pad((attention.qkv.bias * scale.flatten().to(attention.qkv.bias)).detach(), 0, 3)
        proj = nn.Conv2d(heads * padded, channels, 1)
        proj.weight.data = pad(attention.proj.weight.detach(), 1, 1)[:, :, None, None]
        proj.bias.data = attention.proj.bias.detach()
        self.qkv = PackedConv(qkv)
        self.proj = PackedConv(proj)
        bias = attention.relative_position_bias()
        self.register_buffer('bias', None if bias is None else bias.detach().contiguous())

    def forward(self, x: Tensor, norm: nn.Module, padding: Optional[Padding] = None) -> Tensor:
        """(N, H, W, C) to (N, H, W, C), after a norm."""
        qkv = self.qkv(norm(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return self.proj(self._attend(qkv, padding).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)

    def add_by_kernels(self, x: Tensor, norm: nn.LayerNorm) -> Tensor:
        """x + attention(norm(x)) of (N, H, W, C)."""
        return linear(self._attend(linear(x, self.qkv, norm)), self.proj, residual=x)

    def _attend(self, qkv: Tensor, padding: Optional[Padding] = None) -> Tensor:
        return window_attention(qkv, self.qkv.bias, self.num_heads, self.window_size, self.bias, self.with_pad_mask,
                                scale=1.0, padding=padding, shift=self.shift)


class DeployBlock(HRFormerBlock):
    """An :class:`HRFormerBlock` of these parts, on CUDA in six kernels where block kernels are asked for.

    Args:
        block (HRFormerBlock): Its batch norms have been folded. A feed-forward network with other norms stays as it is,
            and the block then knows no kernels.
    """

    def __init__(self, block: HRFormerBlock) -> None:
        nn.Module.__init__(self)  # the layers are there
        self.hidden_channels, self.window_size, self.recompute = block.hidden_channels, block.window_size, False
        self.norm1 = block.norm1
        self.attn = nn.ModuleDict({'attn': DeployAttention(block.attn['attn'])})
        self.norm2 = block.norm2
        folded = all(norm is None or isinstance(norm, nn.Identity)
                     for norm in (block.ffn.norm1, block.ffn.norm2, block.ffn.norm3))
        self.ffn = DeployFFN(block.ffn) if folded else block.ffn
        self.drop_path = nn.Identity()  # as it is in evaluation

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H, W), quickest in channels-last memory."""
        if not self._fits_kernels(x):
            return super().forward(x)
        x = self.attn['attn'].add_by_kernels(x.permute(0, 2, 3, 1), self.norm1)
        return self.ffn.add_by_kernels(x, self.norm2).permute(0, 3, 1, 2)

    def _fits_kernels(self, x: Tensor) -> bool:
        """Whether the kernels are asked for, and compute this: they cast nothing, and have no gradients."""
        if not by_kernels(x) or not isinstance(self.ffn, DeployFFN) or x.dtype != self.norm1.weight.dtype:
            return False
        if torch.is_autocast_enabled('cuda' if x.is_cuda else 'cpu'):
            return False
        return not (torch.is_grad_enabled() and (x.requires_grad or any(p.requires_grad for p in self.parameters())))
