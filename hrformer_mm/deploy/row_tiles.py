"""Tiles of rows, in which a large map is processed so that what is computed in between stays in the CPU's caches."""

from collections.abc import Iterator

import torch
from torch import Tensor

# Bytes of a tile's widest map. The caches hold it, and the allocator reuses its memory, where it fetches fresh pages
# from the operating system for every large map.
TILE_BYTES = 4 * 2**20
COMPILED_TILE_BYTES = 3 * TILE_BYTES  # the time to compile grows with the number of tiles


def _tile_bytes() -> int:
    return COMPILED_TILE_BYTES if torch.compiler.is_dynamo_compiling() else TILE_BYTES


def row_tiles(x: Tensor, channels: int, rows: int = 1, offset: int = 0) -> Iterator[tuple[slice, slice]]:
    """Divide a map into tiles of rows, or into whole images where these are small.

    Args:
        x (Tensor): (N, H, W, C).
        channels (int): Channels of the widest map that is computed from it.
        rows (int): A tile starts at a multiple of this number of rows, minus `offset`. Default: 1.
        offset (int): The number of the first `rows` rows that lie above the map. Default: 0.

    Yields:
        tuple[slice, slice]: Images and rows.
    """
    n, h, w, _ = x.shape
    row_bytes, limit = w * channels * x.element_size(), _tile_bytes()
    if h * row_bytes <= limit:
        images = limit // max(h * row_bytes, 1)
        for i in range(0, n, images):
            yield slice(i, min(i + images, n)), slice(0, h)
        return
    step = max(limit // (rows * row_bytes), 1) * rows
    for i in range(n):
        for row in range(-offset, h, step):
            yield slice(i, i + 1), slice(max(row, 0), min(row + step, h))


def needs_row_tiles(x: Tensor, channels: int) -> bool:
    """Return whether a map with this number of channels computed from `x`, (N, H, W, C), is too large for one tile: on
    the CPU, and where no graph is traced for other machines."""
    tracing = torch.jit.is_tracing() or (torch.compiler.is_compiling() and not torch.compiler.is_dynamo_compiling())
    return (
        x.device.type == 'cpu' and not tracing and x.numel() // x.shape[3] * channels * x.element_size() > _tile_bytes()
    )
