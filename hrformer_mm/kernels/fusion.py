"""The exchange between streams by a Triton kernel, as an operator that torch.compile and torch.export know."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .launch import launch
from .support import LIBRARY, implement, power_of_two

OTHERS = 3  # maps beside the stream's own: HRFormer has four streams
LIBRARY.define('fuse_streams(Tensor own, Tensor[] others, bool bilinear) -> Tensor')


def triton_fusion(own: Tensor, others: Sequence[Tensor], bilinear: bool) -> Tensor:
    """The ReLU of the sum of maps, upsampled where they are coarser, in one kernel. For inference.

    The sum is made in float32 and rounded once.

    Args:
        own (Tensor): (N, C, H, W), float32, float16 or bfloat16; fewer than 2**31 places.
        others (Sequence[Tensor]): Up to 3 of (N, C, H / factor, W / factor), each with its own factor.
        bilinear (bool): Whether these are upsampled bilinearly, corners not aligned; else to the nearest.

    Returns:
        Tensor: (N, C, H, W), in channels-last memory.

    Raises:
        ValueError: If there are more than 3 maps, or one is not smaller by the same factor in both directions.
    """
    for x in others:
        factor = own.shape[2] // max(x.shape[2], 1)
        if len(others) > OTHERS or (x.shape[2] * factor, x.shape[3] * factor) != own.shape[2:]:
            raise ValueError(f'maps of {[tuple(x.shape) for x in others]} cannot be added to one of {tuple(own.shape)}: '
                             f'at most {OTHERS}, smaller by one factor')
    return torch.ops.hrformer_mm.fuse_streams(own, list(others), bilinear)


def tiles(width: int, channels: int) -> tuple[int, int]:
    """Places and channels of a program."""
    return min(power_of_two(width), 32), min(power_of_two(channels), 32)


def _fuse(own: Tensor, others: list[Tensor], bilinear: bool) -> Tensor:
    from .fusion_kernel import fuse
    own, *others = (x.contiguous(memory_format=torch.channels_last) for x in (own, *others))
    out = torch.empty_like(own)
    n, channels, height, width = own.shape
    factors = [height // x.shape[2] for x in others] + [0] * (OTHERS - len(others))
    places, block = tiles(width, channels)
    blocks = -(-width // places)
    launch(fuse, n * height * blocks * -(-channels // block), own, *others, *[own] * (OTHERS - len(others)), out, height,
           width, blocks, C=channels, FIRST=factors[0], SECOND=factors[1], THIRD=factors[2], BILINEAR=bilinear,
           PLACES=places, BLOCK=block, num_warps=4)
    return out


implement('fuse_streams', _fuse)


@torch.library.register_fake('hrformer_mm::fuse_streams')
def _(own: Tensor, others: list[Tensor], bilinear: bool) -> Tensor:
    return torch.empty_like(own, memory_format=torch.channels_last)
