"""Depth-wise convolution by Triton's kernels, as operators that autograd, torch.compile and torch.export know."""

from typing import Any, Optional

import torch
from torch import Tensor

from .support import DTYPES, LIBRARY, implement, power_of_two

COLUMNS = 4  # of a thread
WARPS = 8192  # of a launch, where the map has as many: three times what a large card holds, to even out its ends
ROWS = 2  # of a strip at least, which reads two more

LIBRARY.define('depthwise(Tensor x, Tensor weight, Tensor? bias, bool gelu) -> Tensor')


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
    check(x, weight)
    return torch.ops.hrformer_mm.depthwise(x, weight, bias, gelu)


def check(x: Tensor, weight: Tensor) -> None:
    """Raise a ValueError where the kernels are not made for a map and weights."""
    if x.dtype not in DTYPES:
        raise ValueError(f"block backend 'triton': the dtype is {x.dtype}, but must be one of "
                         f"{', '.join(map(str, DTYPES))}; take 'torch'")
    if x.shape[2] * x.shape[3] >= 2**30:
        raise ValueError(f"block backend 'triton': a row of the map, {tuple(x.shape)}, has 2**30 elements or more; "
                         "take 'torch'")
    if weight.shape != (x.shape[3], 1, 3, 3):
        raise ValueError(f'weight is {tuple(weight.shape)}, but must be {(x.shape[3], 1, 3, 3)}: 3x3 and depth-wise, '
                         f'for the channels of {tuple(x.shape)}')


def tiles(n: int, height: int, width: int, channels: int) -> tuple[int, tuple[int, ...], dict[str, Any]]:
    """Programs, sizes and options of a launch."""
    block = min(power_of_two(channels), 64)
    wide = -(-width // COLUMNS)
    per_program = min(power_of_two(wide), 4)
    groups, blocks = -(-wide // per_program), -(-channels // block)
    share = max(-(-height * n * groups * blocks * per_program // WARPS), ROWS)
    strips = -(-height // share)
    return n * strips * groups * blocks, (height, width, groups, strips, share), dict(
        C=channels, GROUPS=per_program, CHANNELS=block, num_warps=per_program)


def launch(kernel: Any, x: Tensor, *arguments: Any, **options: Any) -> None:
    """Run a kernel with a program for each tile of a map (N, H, W, C)."""
    programs, sizes, own = tiles(*x.shape)
    if programs >= 2**31:
        raise ValueError(f"block backend 'triton': the map, {tuple(x.shape)}, is more than one launch takes; take 'torch'")
    if programs:
        # All in the first axis of the grid: the others end at 65,535.
        with torch.cuda.device_of(x):
            kernel[(programs, )](x, *arguments, *sizes, **own, **options)


def _depthwise(x: Tensor, weight: Tensor, bias: Optional[Tensor], gelu: bool) -> Tensor:
    from .depthwise_kernel import depthwise
    x, weight = x.contiguous(), weight.contiguous()
    out = torch.empty_like(x)
    # In place of what there is not anything is given.
    launch(depthwise, x, x, x, weight, x if bias is None else bias.contiguous(), out, NORM=False,
           HAS_BIAS=bias is not None, GELU=gelu)
    return out


implement('depthwise', _depthwise)


@torch.library.register_fake('hrformer_mm::depthwise')
def _(x: Tensor, weight: Tensor, bias: Optional[Tensor], gelu: bool):
    return x.new_empty(x.shape)


def _refuse(ctx: Any, *grads: Tensor) -> None:
    raise RuntimeError("block backend 'triton': this depth-wise convolution is for inference and has no derivative; "
                       "call it under torch.no_grad() or take 'torch'")


torch.library.register_autograd('hrformer_mm::depthwise', _refuse)
