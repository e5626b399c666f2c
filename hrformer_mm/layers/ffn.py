"""The feed-forward network whose 3x3 depth-wise convolution carries information across windows (section 3.1)."""

from functools import partial
from typing import Any, Optional

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from ..ops import BatchNormGELUConv, by_kernels, kernel_norm_gelu_conv, pointwise_conv
from .checkpointing import checkpointed
from .norm import norm_layer
from .norm_project import norm_project


class PointwiseConv(nn.Conv2d):
    """A 1x1 convolution, whose gradient is quick on small maps as well."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, O, H, W)."""
        return pointwise_conv(x, self.weight, self.bias)


class DepthwiseFFN(nn.Module):
    """1x1 convolution, 3x3 depth-wise convolution, 1x1 convolution, each followed by a norm and GELU.

    Args:
        channels (int): Channels of input and output.
        hidden_channels (int): Channels between the two 1x1 convolutions.
        norm_cfg (dict): The norm after each convolution.
        recompute (bool): Whether the backward pass makes the outputs of all norms and GELUs anew. Batch norms on the
            CPU, and by kernels, do so in any case.
        with_dwconv (bool): Whether there is a depth-wise convolution, with its norm and GELU (table 7 goes without).
    """

    def __init__(self, channels: int, hidden_channels: int, norm_cfg: dict[str, Any], recompute: bool = False,
                 with_dwconv: bool = True) -> None:
        super().__init__()
        self.recompute = recompute
        self.fc1 = PointwiseConv(channels, hidden_channels)
        self.norm1 = norm_layer(norm_cfg, hidden_channels)
        self.dw3x3 = self.norm2 = None
        if with_dwconv:
            self.dw3x3 = nn.Conv2d(hidden_channels, hidden_channels, 3, padding=1, groups=hidden_channels)
            self.norm2 = norm_layer(norm_cfg, hidden_channels)
        self.fc2 = PointwiseConv(hidden_channels, channels)
        self.norm3 = norm_layer(norm_cfg, channels)

    def forward(self, x: Tensor, norm: Optional[nn.Module] = None) -> Tensor:
        """(N, C, H, W) to (N, C, H, W), after a norm over the last dimension of (N, H, W, C)."""
        return self.contract(self.expand(x, norm))

    def expand(self, x: Tensor, norm: Optional[nn.Module] = None) -> Tensor:
        """The first 1x1 convolution and the depth-wise one, after a norm over the last dimension of (N, H, W, C).

        (N, C, H, W) to (N, hidden, H, W).
        """
        x = norm_project(x.permute(0, 2, 3, 1), norm, self.fc1,
                         lambda x: self.fc1(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return x if self.dw3x3 is None else norm_gelu_conv(x, self.norm1, self.dw3x3)

    def contract(self, x: Tensor) -> Tensor:
        """All that follows, (N, hidden, H, W) to (N, C, H, W)."""
        x = norm_gelu_conv(x, self.norm1 if self.dw3x3 is None else self.norm2, self.fc2, self.recompute)
        return norm_gelu_conv(x, self.norm3, None, self.recompute)


def norm_gelu_conv(x: Tensor, norm: nn.Module, conv: Optional[nn.Conv2d], recompute: bool = False) -> Tensor:
    """conv(GELU(norm(x))), or GELU(norm(x)), (N, C, H, W); without gradients `x` is overwritten.

    A batch norm on the CPU goes the short way: in place without gradients, and with them as
    :class:`~hrformer_mm.ops.BatchNormGELUConv`; in training by kernels where
    :func:`~hrformer_mm.ops.set_block_backend` asks for them.
    """
    if by_kernels(x) and _has_kernels(x, norm):
        if norm.num_batches_tracked is not None:
            norm.num_batches_tracked.add_(1)
        following = (None, None) if conv is None else (conv.weight, conv.bias)
        return kernel_norm_gelu_conv(x, norm.weight, norm.bias, norm.running_mean, norm.running_var, norm.momentum,
                                     norm.eps, *following, _processes(norm))
    if not _is_simple(x, norm):
        step = partial(_apply, norm, conv)
        return checkpointed(step, x, norm) if recompute else step(x)
    if norm.training:
        norm.num_batches_tracked.add_(1)
        following = () if conv is None else (conv.weight, conv.bias, conv.padding, conv.groups)
        return BatchNormGELUConv.apply(x, norm.weight, norm.bias, norm.running_mean, norm.running_var, norm.momentum,
                                       norm.eps, *following)
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    shift = norm.bias - norm.running_mean * scale
    x = torch.addcmul(shift[:, None, None], x, scale[:, None, None], out=x)
    x = torch.ops.aten.gelu_(x)
    return x if conv is None else conv(x)


def _has_kernels(x: Tensor, norm: nn.Module) -> bool:
    return (type(norm) in (nn.BatchNorm2d, nn.SyncBatchNorm) and norm.training and norm.affine
            and norm.track_running_stats and norm.momentum is not None
            # torch refuses a batch of one place, and autocast has the convolution round a map of float32.
            and (x.shape[0] * x.shape[2] * x.shape[3] > 1 or _processes(norm) is not None)
            and not (x.dtype == torch.float32 and torch.is_autocast_enabled(x.device.type)))


def _processes(norm: nn.Module) -> Optional[dist.ProcessGroup]:
    """Those that a norm has statistics in common with, if there are any."""
    if type(norm) is not nn.SyncBatchNorm or not (dist.is_available() and dist.is_initialized()):
        return None
    group = norm.process_group or dist.group.WORLD
    return group if dist.get_world_size(group) > 1 else None


def _is_simple(x: Tensor, norm: nn.Module) -> bool:
    return (type(norm) is nn.BatchNorm2d and norm.affine and norm.track_running_stats and norm.momentum is not None
            and norm.training == torch.is_grad_enabled() and x.device.type == 'cpu'
            and x.dtype == norm.weight.dtype and x.dtype in (torch.float32, torch.float64)
            and x.shape[0] * x.shape[2] * x.shape[3] > 1 and not torch.compiler.is_compiling())


def _apply(norm: nn.Module, conv: Optional[nn.Conv2d], x: Tensor) -> Tensor:
    x = F.gelu(norm(x))
    return x if conv is None else conv(x)
