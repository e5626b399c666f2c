"""Relative position bias of Swin (arXiv 2103.14030, section 3.2), which HRFormer uses in its windows."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def relative_position_index(window_size: tuple[int, int]) -> Tensor:
    """Return the row of the bias table for each (query, key) pair of a window.

    Args:
        window_size (tuple[int, int]): Height and width of the window.

    Returns:
        Tensor: int64 indices of shape (L, L) with L = height * width. Entry (q, k) is
        (dy + height - 1) * (2 * width - 1) + dx + width - 1, where (dy, dx) is the position of q minus that of k.
    """
    height, width = window_size
    y = torch.arange(height).repeat_interleave(width)
    x = torch.arange(width).repeat(height)
    dy = y[:, None] - y[None, :] + height - 1
    dx = x[:, None] - x[None, :] + width - 1
    return dy * (2 * width - 1) + dx


def square_window(table: Tensor) -> int:
    """Return the side of the square window to which a bias table belongs.

    Args:
        table (Tensor): Bias table of shape ((2 * side - 1) ** 2, heads).

    Raises:
        ValueError: If the table of a square window cannot have this number of rows.
    """
    rows = table.shape[0]
    side = math.isqrt(rows)
    if side * side != rows or side % 2 == 0:
        raise ValueError(f'a bias table has {rows} rows, but that of a square window has (2 * side - 1) ** 2 rows')
    return (side + 1) // 2


def resize_bias_table(table: Tensor, old: tuple[int, int], new: tuple[int, int]) -> Tensor:
    """Resize a bias table to another window size by bicubic interpolation over the grid of offsets.

    Args:
        table (Tensor): Bias table of shape ((2 * old height - 1) * (2 * old width - 1), heads).
        old (tuple[int, int]): Height and width of the window with which the table was trained.
        new (tuple[int, int]): Height and width of the new window.

    Returns:
        Tensor: Bias table of shape ((2 * new height - 1) * (2 * new width - 1), heads) and the dtype of `table`.
    """
    heads = table.shape[1]
    grid = table.float().T.reshape(1, heads, 2 * old[0] - 1, 2 * old[1] - 1)
    grid = F.interpolate(grid, size=(2 * new[0] - 1, 2 * new[1] - 1), mode='bicubic', align_corners=False)
    return grid.reshape(heads, -1).T.contiguous().to(table.dtype)
