"""Depth-wise convolution by Triton's kernels, as operators that autograd, torch.compile and torch.export know."""

from typing import Any, Optional

import torch
from torch import Tensor

from .launch import launch
from .support import DTYPES, LIBRARY, implement, power_of_two

COLUMNS = 4  # of a thread
# Warps of a launch, where the map has as many, and the rows of a strip at least, which reads two more: three times the
# warps that a large card holds, to even out their ends; and half as many where each program writes sums, of more rows.
WARPS, ROWS = 8192, 2
WARPS_OF_SUMS, ROWS_OF_SUMS = 4096, 8

LIBRARY.define('depthwise(Tensor x, Tensor? stats, Tensor weight, Tensor? bias, bool gelu) -> Tensor')
LIBRARY.define('depthwise_backward(Tensor x, Tensor grad, Tensor stats, Tensor weight) -> (Tensor, Tensor)')


def triton_depthwise(x: Tensor, weight: Tensor, bias: Optional[Tensor], gelu: bool) -> Tensor:
    """A 3x3 depth-wise convolution of stride 1 with zeros around the map, and GELU, in one kernel; for inference.

    Sums are made in float32.

    Args:
        x (Tensor): (N, H, W, C), float32, float16 or bfloat16.
        weight (Tensor): (C, 1, 3, 3), of any floating dtype, as `bias`.
        bias (Tensor, optional): (C,).
        gelu (bool): Whether GELU (with the error function) follows.

    Returns:
        Tensor: (N, H, W, C).

    Raises:
        ValueError: If the kernel is not made for the dtype or the sizes.
        RuntimeError: If it is differentiated.
    """
    _check(x, weight)
    return torch.ops.hrformer_mm.depthwise(x, None, weight, bias, gelu)


def _check(x: Tensor, weight: Tensor) -> None:
    """Raise a ValueError where there is no kernel for a map's dtype, or the weights are no such convolution's."""
    if x.dtype not in DTYPES:
        raise ValueError(f"block backend 'triton': the dtype is {x.dtype}, but must be one of "
                         f"{', '.join(map(str, DTYPES))}; take 'torch'")
    if weight.shape != (x.shape[3], 1, 3, 3):
        raise ValueError(f'weight is {tuple(weight.shape)}, but must be {(x.shape[3], 1, 3, 3)}: 3x3 and depth-wise, '
                         f'for the channels of {tuple(x.shape)}')


def tiles(x: Tensor, warps: int, rows: int) -> tuple[int, tuple[int, ...], dict[str, Any]]:
    """Tiles of a map but for its channels, sizes and options of a launch for it."""
    n, height, width, channels = x.shape
    if width * channels >= 2**30:
        raise ValueError(f"block backend 'triton': a row of the map, {tuple(x.shape)}, has 2**30 elements or more; "
                         "take 'torch'")
    block = min(power_of_two(channels), 64)
    wide = -(-width // COLUMNS)
    per_program = min(power_of_two(wide), 4)
    groups, blocks = -(-wide // per_program), -(-channels // block)
    share = max(-(-height * n * groups * blocks * per_program // warps), rows)
    strips = -(-height // share)
    options = dict(C=channels, GROUPS=per_program, CHANNELS=block, num_warps=per_program)
    return n * strips * groups, (height, width, groups, strips, share), options


def blocks(options: dict[str, Any]) -> int:
    """Of channels."""
    return -(-options['C'] // options['CHANNELS'])


def _depthwise(x: Tensor, stats: Optional[Tensor], weight: Tensor, bias: Optional[Tensor], gelu: bool) -> Tensor:
    """The convolution of x, or, with the `stats` of a batch norm, of GELU of the norm; and GELU."""
    from .depthwise_kernel import depthwise
    x, weight = x.contiguous(), weight.contiguous()
    out = torch.empty_like(x)
    places, sizes, options = tiles(x, WARPS, ROWS)
    # In place of what there is not anything is given.
    launch(depthwise, places * blocks(options), x, x if stats is None else stats, weight,
           x if bias is None else bias.contiguous(), out, *sizes, NORM=stats is not None, HAS_BIAS=bias is not None,
           GELU=gelu, **options)
    return out


def _backward(x: Tensor, grad: Tensor, stats: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient of GELU's input, and sums (12 * C,): gradients of the weight (C, 9) and of the bias, and what
    `batch_norm_gelu_sums` gives."""
    from .depthwise_backward import backward
    x, weight = x.contiguous(), weight.contiguous()
    grad_norm = torch.empty_like(x)
    places, sizes, options = tiles(x, WARPS_OF_SUMS, ROWS_OF_SUMS)
    sums = stats.new_empty(places, 12 * x.shape[3])
    # Three programs of four warps on a multiprocessor.
    launch(backward, places * blocks(options), x, grad.contiguous(), stats, weight, grad_norm, sums, *sizes,
           maxnreg=168, **options)
    return grad_norm, sums.sum(0)


implement('depthwise', _depthwise)
implement('depthwise_backward', _backward)


@torch.library.register_fake('hrformer_mm::depthwise')
def _(x: Tensor, *rest: Any):
    return x.new_empty(x.shape)


@torch.library.register_fake('hrformer_mm::depthwise_backward')
def _(x: Tensor, grad: Tensor, stats: Tensor, weight: Tensor):
    return x.new_empty(x.shape), stats.new_empty(12 * x.shape[3])


def _refuse(ctx: Any, *grads: Tensor) -> None:
    raise RuntimeError("block backend 'triton': this depth-wise convolution is for inference and has no derivative; "
                       "call it under torch.no_grad() or take 'torch'")


torch.library.register_autograd('hrformer_mm::depthwise', _refuse)
