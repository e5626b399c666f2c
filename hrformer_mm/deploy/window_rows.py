"""Indices of the rows of windows, with which one copy pads, shifts and partitions a map, and one merges, shifts back
and crops it."""

from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..ops import Padding


class WindowRows(NamedTuple):
    """Indices of rows. A row is one head of one position; a map has P = H * W positions.

    Attributes:
        into (Tensor): int32 indices of shape (3, windows * heads * L), into the rows (P, 3 * heads) of a map: the
            queries, keys and values of its windows. Padding has the index of an arbitrary row.
        out (Tensor): int32 indices of shape (P * heads,), into the rows (windows, heads, L) of windows.
        padded (Tensor): int64 indices of the rows of windows that are padding.
        padded_heads (Tensor): int64, the head of each of them.
    """

    into: Tensor
    out: Tensor
    padded: Tensor
    padded_heads: Tensor


@lru_cache(maxsize=64)  # blocks of one size share them
def window_rows(
    size: tuple[int, int], window_size: tuple[int, int], padding: Padding, shift: tuple[int, int], num_heads: int
) -> WindowRows:
    """Compute the rows of the windows of a map.

    Args:
        size (tuple[int, int]): Height and width of the map.
        window_size (tuple[int, int]): Height and width of a window.
        padding (Padding): The padding of the map to whole windows.
        shift (tuple[int, int]): The number of rows and columns by which the windows are shifted.
        num_heads (int): The number of heads.
    """
    (h, w), (height, width) = size, window_size
    with torch.inference_mode(False):  # the result is used outside of it, too
        positions = F.pad(
            torch.arange(h * w).view(h, w), (padding.left, padding.right, padding.top, padding.bottom), value=h * w
        )
        positions = positions.roll((-shift[0], -shift[1]), (0, 1))
        positions = positions.unflatten(1, (-1, width)).unflatten(0, (-1, height)).transpose(1, 2)
        positions = positions.flatten(2).flatten(0, 1)  # (windows, L)
        heads = torch.arange(3 * num_heads).view(3, 1, num_heads, 1)
        into = (positions[:, None].clamp(max=h * w - 1) * (3 * num_heads) + heads).flatten(1)

        padded = (positions == h * w)[:, None].expand(-1, num_heads, -1).flatten().nonzero()[:, 0]
        padded_heads = padded // (height * width) % num_heads

        order = positions.flatten().argsort()[: h * w]  # of each position, its index within the windows
        window, position = order // (height * width), order % (height * width)
        out = (window[:, None] * num_heads + torch.arange(num_heads)) * height * width + position[:, None]
        return WindowRows(into.int(), out.flatten().int(), padded, padded_heads)


def gather_windows(qkv: Tensor, bias: Tensor, rows: WindowRows) -> Tensor:
    """Pad, shift and partition a map.

    Args:
        qkv (Tensor): (N, H, W, 3 * heads * D).
        bias (Tensor): (3 * heads * D), the value of a padded position.
        rows (WindowRows): Indices of the rows of the map.

    Returns:
        Tensor: (3, N, windows * heads * L, D).
    """
    n, heads = qkv.shape[0], 3 * len(rows.out) // (qkv.shape[1] * qkv.shape[2])
    maps = qkv.reshape(n, -1, qkv.shape[3] // heads)
    windows = maps.new_empty(3, n, rows.into.shape[1], maps.shape[2])
    padding = bias.to(qkv.dtype).view(3, heads // 3, -1).index_select(1, rows.padded_heads)
    for part, index, pad in zip(windows, rows.into, padding):
        for image, own in zip(maps, part):
            torch.index_select(image, 0, index, out=own)
        if len(pad):
            part[:, rows.padded] = pad
    return windows


def scatter_windows(windows: Tensor, rows: WindowRows, size: tuple[int, int]) -> Tensor:
    """Merge windows to a map, shift it back and crop it.

    Args:
        windows (Tensor): (N, windows * heads * L, D).
        rows (WindowRows): Indices of the rows of the map.
        size (tuple[int, int]): Height and width of the map.

    Returns:
        Tensor: (N, H, W, heads * D).
    """
    maps = windows.new_empty(len(windows), len(rows.out), windows.shape[2])
    for image, own in zip(windows, maps):
        torch.index_select(image, 0, rows.out, out=own)
    return maps.view(len(windows), *size, -1)
