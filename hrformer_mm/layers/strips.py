"""Cutting the work on a large map into strips of rows, so that what is made in between stays in the cache."""

from collections.abc import Iterator

import torch
from torch import Tensor

# What a strip's widest map may take. A CPU's caches hold it, and the allocator hands the same memory out again and
# again, where it would fetch fresh pages from the operating system for every large map.
STRIP_BYTES = 4 * 2**20
COMPILED_STRIP_BYTES = 3 * STRIP_BYTES  # compiling takes time for every strip


def _strip_bytes() -> int:
    return COMPILED_STRIP_BYTES if torch.compiler.is_dynamo_compiling() else STRIP_BYTES


def strips(x: Tensor, channels: int, rows: int = 1, offset: int = 0) -> Iterator[tuple[slice, slice]]:
    """Cut a map into strips of rows, or of whole images where these are small.

    Args:
        x (Tensor): (N, H, W, C).
        channels (int): Channels of the widest map that is made of it.
        rows (int): A strip starts at a multiple of so many rows, less `offset`.
        offset (int): How many rows of the first `rows` lie above the map.

    Yields:
        tuple[slice, slice]: Images and rows.
    """
    n, h, w, _ = x.shape
    row_bytes, limit = w * channels * x.element_size(), _strip_bytes()
    if h * row_bytes <= limit:
        images = limit // max(h * row_bytes, 1)
        for i in range(0, n, images):
            yield slice(i, min(i + images, n)), slice(0, h)
        return
    step = max(limit // (rows * row_bytes), 1) * rows
    for i in range(n):
        for row in range(-offset, h, step):
            yield slice(i, i + 1), slice(max(row, 0), min(row + step, h))


def worth_strips(x: Tensor, channels: int) -> bool:
    """Whether a map made of `x`, (N, H, W, C), with so many channels is too large for one piece: on the CPU, without
    gradients, and where no graph is recorded for other machines."""
    recording = torch.jit.is_tracing() or (torch.compiler.is_compiling() and not torch.compiler.is_dynamo_compiling())
    return (x.device.type == 'cpu' and not torch.is_grad_enabled() and not recording
            and x.numel() // x.shape[3] * channels * x.element_size() > _strip_bytes())
