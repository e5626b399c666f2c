"""A batch norm with GELU by Triton's kernels, with a batch's statistics, as operators that PyTorch knows."""

from typing import Any

import torch
from torch import Tensor

from .launch import launch
from .support import LIBRARY, implement, power_of_two

# Programs of a launch that sums over places, as long as each has as many rows as it reads at a time. It is no property
# of the card, so that the sums are not one either.
PROGRAMS = 1024

LIBRARY.define('batch_norm_moments(Tensor x) -> Tensor')
LIBRARY.define('batch_norm_finish(Tensor moments, Tensor weight, Tensor bias, Tensor(a!) running_mean, '
               'Tensor(b!) running_var, float momentum, float eps) -> Tensor')
LIBRARY.define('batch_norm_gelu(Tensor x, Tensor stats) -> Tensor')
LIBRARY.define('batch_norm_gelu_sums(Tensor x, Tensor grad, Tensor stats, bool with_output) -> (Tensor, Tensor)')
LIBRARY.define('batch_norm_gelu_backward(Tensor x, Tensor grad, Tensor stats, Tensor sums, bool through_gelu) '
               '-> Tensor')


class _Rows:
    """A map (..., C) as rows in memory: of one place, or of several, so that vectors of 8 channels begin at even
    addresses."""

    def __init__(self, x: Tensor) -> None:
        self.channels, places = x.shape[-1], x.numel() // max(x.shape[-1], 1)
        repeat = next((n for n in (1, 2, 4, 8) if n * self.channels % 8 == 0), 1)
        self.repeat = repeat if places % repeat == 0 else 1
        wide = self.repeat * self.channels
        self.rows, block = places // self.repeat, min(power_of_two(wide), 64)
        self.blocks = -(-wide // block)
        self.options: dict[str, Any] = dict(C=self.channels, WIDE=wide, CHANNELS=block, num_warps=4)

    def shares(self, least: int) -> tuple[int, int]:
        """Into how many shares the rows are divided, and how many are in one: a multiple of `least`."""
        programs = max(PROGRAMS // self.blocks, 1)
        share = max(-(-self.rows // (programs * least)), 1) * least
        return -(-self.rows // share), share


def _moments(x: Tensor) -> Tensor:
    """Means, sums of squares around them, and numbers of places, of shares of the map (..., C): (shares, 3, C)."""
    from .batch_norm_kernels import statistics
    x, own = x.contiguous(), _Rows(x)
    parts, share = own.shares(64)
    moments = x.new_empty(parts * own.repeat, 3, own.channels, dtype=torch.float32)
    launch(statistics, parts * own.blocks, x, moments, own.rows, share, ROWS=16, **own.options)
    return moments


def _finish(moments: Tensor, weight: Tensor, bias: Tensor, running_mean: Tensor, running_var: Tensor, momentum: float,
            eps: float) -> Tensor:
    """Of shares (P, 3, C): mean, 1 / deviation, scale, shift and 1 / number of places, (5, C); updates what runs."""
    from .batch_norm_kernels import finish
    parts, _, channels = moments.shape
    stats = moments.new_empty(5, channels)
    launch(finish, -(-channels // 16), moments, weight, bias, running_mean, running_var, stats, parts, momentum, eps,
           C=channels, ROWS=64, CHANNELS=16, num_warps=4)
    return stats


def _gelu(x: Tensor, stats: Tensor) -> Tensor:
    """GELU(scale * x + shift)."""
    from .batch_norm_kernels import activate
    x, own = x.contiguous(), _Rows(x)
    out = torch.empty_like(x)
    launch(activate, -(-own.rows // 32) * own.blocks, x, stats, out, own.rows, ROWS=32, **own.options)
    return out


def _gelu_sums(x: Tensor, grad: Tensor, stats: Tensor, with_output: bool) -> tuple[Tensor, Tensor]:
    """Sums over places of the gradient before GELU, and of its products with the normalised map, (2, C); and GELU's
    output, or nothing."""
    from .batch_norm_kernels import gelu_sums
    x, own = x.contiguous(), _Rows(x)
    out = torch.empty_like(x) if with_output else x.new_empty(0)
    parts, share = own.shares(16)
    sums = stats.new_empty(parts * own.repeat, 2, own.channels)
    launch(gelu_sums, parts * own.blocks, x, grad.contiguous(), stats, out, sums, own.rows, share, ROWS=16,
           OUT=with_output, **own.options)
    return sums.sum(0), out


def _gelu_backward(x: Tensor, grad: Tensor, stats: Tensor, sums: Tensor, through_gelu: bool) -> Tensor:
    """The gradient of x from that of GELU's output, or of its input, and the sums of all processes."""
    from .batch_norm_kernels import backward
    x, own = x.contiguous(), _Rows(x)
    grad_x = torch.empty_like(x)
    launch(backward, -(-own.rows // 32) * own.blocks, x, grad.contiguous(), stats, sums, grad_x, own.rows, ROWS=32,
           GELU=through_gelu, **own.options)
    return grad_x


implement('batch_norm_moments', _moments)
implement('batch_norm_finish', _finish)
implement('batch_norm_gelu', _gelu)
implement('batch_norm_gelu_sums', _gelu_sums)
implement('batch_norm_gelu_backward', _gelu_backward)


@torch.library.register_fake('hrformer_mm::batch_norm_moments')
def _(x: Tensor):
    own = _Rows(x)
    return x.new_empty(own.shares(64)[0] * own.repeat, 3, own.channels, dtype=torch.float32)


@torch.library.register_fake('hrformer_mm::batch_norm_finish')
def _(moments: Tensor, *rest: Any):
    return moments.new_empty(5, moments.shape[2])


@torch.library.register_fake('hrformer_mm::batch_norm_gelu')
def _(x: Tensor, stats: Tensor):
    return x.new_empty(x.shape)


@torch.library.register_fake('hrformer_mm::batch_norm_gelu_sums')
def _(x: Tensor, grad: Tensor, stats: Tensor, with_output: bool):
    return stats.new_empty(2, x.shape[-1]), x.new_empty(x.shape if with_output else 0)


@torch.library.register_fake('hrformer_mm::batch_norm_gelu_backward')
def _(x: Tensor, *rest: Any):
    return x.new_empty(x.shape)
