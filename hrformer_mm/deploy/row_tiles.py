"""Row tiles, in which a large map is processed so that intermediate results stay in the CPU's caches."""

from collections.abc import Iterator

import torch
from torch import Tensor

# Size of a tile's widest intermediate map. It fits into the caches, and the allocator reuses its memory instead of
# requesting new pages from the operating system, as it does for a larger map.
TILE_BYTES = 4 * 2**20
COMPILED_TILE_BYTES = 3 * TILE_BYTES  # compilation time grows with the number of tiles


def _tile_bytes() -> int:
    return COMPILED_TILE_BYTES if torch.compiler.is_dynamo_compiling() else TILE_BYTES


def row_tiles(x: Tensor, channels: int, rows: int = 1, offset: int = 0) -> Iterator[tuple[slice, slice]]:
    """Divide a map into row tiles, or into groups of whole images if these are small.

    Args:
        x (Tensor): Map of shape (N, H, W, C).
        channels (int): Number of channels of the widest intermediate map.
        rows (int): Height of a row of windows: tiles start at row i * rows - offset. Default: 1.
        offset (int): Number of padded rows above the map. Default: 0.

    Yields:
        tuple[slice, slice]: Images and rows of a tile.
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
    """Return whether a map is too large for a single tile.

    Only maps on the CPU need tiles. A graph that is traced for export, possibly for another machine, has none.

    Args:
        x (Tensor): Map of shape (N, H, W, C).
        channels (int): Number of channels of the widest intermediate map.
    """
    tracing = torch.jit.is_tracing() or (torch.compiler.is_compiling() and not torch.compiler.is_dynamo_compiling())
    return (
        x.device.type == 'cpu' and not tracing and x.numel() // x.shape[3] * channels * x.element_size() > _tile_bytes()
    )
