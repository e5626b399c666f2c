"""Padding channels-last maps to a multiple of the window size, window partition and window merge."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Padding(NamedTuple):
    """Number of positions by which each side of a map is padded."""

    top: int
    bottom: int
    left: int
    right: int

    def pad(self, x: Tensor) -> Tensor:
        """Pad a map (N, H, W, C) with zeros to (N, top + H + bottom, left + W + right, C)."""
        if all(isinstance(side, int) and side == 0 for side in self):  # a traced or symbolic size is not a constant
            return x
        return F.pad(x, (0, 0, self.left, self.right, self.top, self.bottom))

    def crop(self, x: Tensor) -> Tensor:
        """Crop the padding from a padded map (N, H, W, C)."""
        height, width = x.shape[1] - self.top - self.bottom, x.shape[2] - self.left - self.right
        if any(isinstance(side, torch.SymInt) for side in self):  # torch.export cannot infer the size of such a slice
            rows = torch.arange(height, device=x.device) + self.top
            return x.index_select(1, rows).index_select(2, torch.arange(width, device=x.device) + self.left)
        return x[:, self.top : self.top + height, self.left : self.left + width]


def centred_padding(size: Sequence[int], window_size: tuple[int, int]) -> Padding:
    """Compute the padding of a map to a multiple of the window size.

    The padding is split evenly between opposite sides. An odd position goes to the bottom and to the right.

    Args:
        size (Sequence[int]): Height and width of the map.
        window_size (tuple[int, int]): Height and width of a window.
    """
    height, width = (-own % window for own, window in zip(size, window_size))
    return Padding(height // 2, height - height // 2, width // 2, width - width // 2)


def partition_windows(
    x: Tensor, window_size: tuple[int, int], parts: int = 1, heads: int = 1, head_multiple: int = 1
) -> Tensor:
    """Partition a map into windows and its channels into parts and heads in a single copy.

    Args:
        x (Tensor): Map of shape (N, H, W, parts * heads * D). H and W must be multiples of the window size.
        window_size (tuple[int, int]): Height and width of a window.
        parts (int): Number of parts, for example 3 for queries, keys and values. Default: 1.
        heads (int): Number of heads per part. Default: 1.
        head_multiple (int): Pad each head with zeros to a multiple of this number of channels. Default: 1.

    Returns:
        Tensor: Contiguous tensor of shape (parts, N * H / height * W / width, heads, height * width, padded D).
        Windows and the positions within a window are in row-major order.
    """
    n, h, w, c = x.shape
    height, width = window_size
    rows, columns, size = h // height, w // width, c // (parts * heads)
    x = x.view(n, rows, height, columns, width, parts, heads, size).permute(5, 0, 1, 3, 6, 2, 4, 7)
    if size % head_multiple:
        x = F.pad(x, (0, -size % head_multiple))
    # reshape() returns a non-contiguous view if there is a single column of windows.
    return x.reshape(parts, n * rows * columns, heads, height * width, x.shape[-1]).contiguous()


def merge_windows(windows: Tensor, window_size: tuple[int, int], size: Sequence[int]) -> Tensor:
    """Merge windows into a map.

    Args:
        windows (Tensor): Windows of shape (N * H / height * W / width, heads, height * width, D).
        window_size (tuple[int, int]): Height and width of a window.
        size (Sequence[int]): Height and width of the map, multiples of the window size.

    Returns:
        Tensor: Map of shape (N, H, W, heads * D).
    """
    (height, width), (h, w) = window_size, size
    count, heads, _, d = windows.shape
    rows, columns = h // height, w // width
    n = count // (rows * columns)
    x = windows.unflatten(2, window_size).unflatten(0, (n, rows, columns)).permute(0, 1, 4, 2, 5, 3, 6)
    return x.reshape(n, h, w, heads * d)


def padding_mask(size: Sequence[int], window_size: tuple[int, int], padding: Padding, device: torch.device) -> Tensor:
    """Mask the padded positions of all windows.

    Args:
        size (Sequence[int]): Height and width of the map before padding.
        window_size (tuple[int, int]): Height and width of a window.
        padding (Padding): Padding of the map to a multiple of the window size.
        device (torch.device): Device of the mask.

    Returns:
        Tensor: Boolean mask of shape (windows per image, 1, 1, height * width). True marks padding.
    """
    sides = []
    for own, window, before in zip(size, window_size, (padding.top, padding.left)):
        positions = torch.arange((own + window - 1) // window * window, device=device) - before
        sides.append(((positions < 0) | (positions >= own)).view(-1, window))
    rows, columns = sides
    mask = rows[:, None, :, None] | columns[None, :, None, :]
    return mask.flatten(2).flatten(0, 1)[:, None, None]


def shift_mask(
    size: Sequence[int], window_size: tuple[int, int], shift: tuple[int, int], device: torch.device
) -> Tensor:
    """Mask the pairs of positions that a cyclic shift moves from opposite borders of a map into the same window.

    See Swin (arXiv 2103.14030, section 3.2).

    Args:
        size (Sequence[int]): Height and width of the map, multiples of the window size.
        window_size (tuple[int, int]): Height and width of a window.
        shift (tuple[int, int]): Number of rows and columns that the shift moves from the start of the map to its end.
        device (torch.device): Device of the mask.

    Returns:
        Tensor: Boolean mask of shape (windows per image, 1, L, L) with L = height * width. True marks a pair that must
        not attend.
    """
    rows, columns = (torch.arange(own, device=device) >= own - moved for own, moved in zip(size, shift))
    regions = (rows[:, None] * 2 + columns)[None, :, :, None]
    regions = partition_windows(regions, window_size)[0]
    return regions != regions.transpose(2, 3)
