"""Padding channels-last maps to whole windows, cutting them into windows, and back."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor


class Padding(NamedTuple):
    """How many places a map is given on each side."""
    top: int
    bottom: int
    left: int
    right: int

    def pad(self, x: Tensor, value: Tensor) -> Tensor:
        """(N, H, W, C) to (N, top + H + bottom, left + W + right, C), the new places holding `value`, (C,)."""
        if not any(self):
            return x
        n, h, w, c = x.shape
        out = x.new_empty(n, h + self.top + self.bottom, w + self.left + self.right, c)
        for border in self.borders(out):
            border.copy_(value)
        self.crop(out).copy_(x)
        return out

    def crop(self, x: Tensor) -> Tensor:
        """A padded map without its padding; a view."""
        return x[:, self.top:x.shape[1] - self.bottom, self.left:x.shape[2] - self.right]

    def borders(self, x: Tensor) -> Iterator[Tensor]:
        """The padding of a padded map: above, below, left and right of its interior; views."""
        bottom, right = x.shape[1] - self.bottom, x.shape[2] - self.right
        if self.top:
            yield x[:, :self.top]
        if self.bottom:
            yield x[:, bottom:]
        if self.left:
            yield x[:, self.top:bottom, :self.left]
        if self.right:
            yield x[:, self.top:bottom, right:]


def centred_padding(size: tuple[int, int], window_size: tuple[int, int]) -> Padding:
    """What pads a map of `size` (H, W) to whole windows: the map in the centre, an odd remainder below and right."""
    height, width = (-own % window for own, window in zip(size, window_size))
    return Padding(height // 2, height - height // 2, width // 2, width - width // 2)


def partition_windows(x: Tensor, window_size: tuple[int, int], parts: int = 1, heads: int = 1) -> Tensor:
    """Cut a map into windows that do not overlap, and its channels into parts and heads, in one copy.

    Args:
        x (Tensor): (N, H, W, parts * heads * D), where the window divides H and W.
        window_size (tuple[int, int]): Height and width of a window.
        parts, heads (int): What the channels consist of.

    Returns:
        Tensor: (parts, N * H / height * W / width, heads, height * width, D), contiguous, windows and the places
        in them in reading order.
    """
    n, h, w, c = x.shape
    height, width = window_size
    rows, columns = h // height, w // width
    x = x.view(n, rows, height, columns, width, parts, heads, c // (parts * heads)).permute(5, 0, 1, 3, 6, 2, 4, 7)
    # A single column of windows can be reshaped without a copy, and would not be contiguous.
    return x.reshape(parts, n * rows * columns, heads, height * width, c // (parts * heads)).contiguous()


def merge_windows(windows: Tensor, window_size: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Undo :func:`partition_windows`.

    Args:
        windows (Tensor): (parts, N * H / height * W / width, heads, height * width, D).
        window_size (tuple[int, int]): Height and width of a window.
        size (tuple[int, int]): H and W of the map, which the window divides.

    Returns:
        Tensor: (N, H, W, parts * heads * D).
    """
    (height, width), (h, w) = window_size, size
    parts, count, heads, _, d = windows.shape
    rows, columns = h // height, w // width
    n = count // (rows * columns)
    x = windows.view(parts, n, rows, columns, heads, height, width, d).permute(1, 2, 5, 3, 6, 0, 4, 7)
    return x.reshape(n, h, w, parts * heads * d)


def shift_mask(size: tuple[int, int], window_size: tuple[int, int], shift: tuple[int, int],
               device: torch.device) -> Tensor:
    """The pairs of places that a cyclic shift brings into one window from opposite borders of the map (Swin,
    arXiv 2103.14030, section 3.2).

    Args:
        size (tuple[int, int]): H and W of the map, which the window divides.
        window_size (tuple[int, int]): Height and width of a window.
        shift (tuple[int, int]): How many rows and columns went from the beginning of the map to its end.
        device (torch.device): Where the mask is to be.

    Returns:
        Tensor: bool, (H / height * W / width, 1, L, L) with L = height * width; True where a pair must not meet.
    """
    rows, columns = (torch.arange(own, device=device) >= own - moved for own, moved in zip(size, shift))
    regions = (rows[:, None] * 2 + columns)[None, :, :, None]
    regions = partition_windows(regions, window_size)[0]
    return regions != regions.transpose(2, 3)


def padding_mask(size: tuple[int, int], window_size: tuple[int, int], padding: Padding,
                 device: torch.device) -> Tensor:
    """The places of a padded map that are padding, as keys of the windows.

    Args:
        size (tuple[int, int]): H and W of the map without its padding.
        window_size (tuple[int, int]): Height and width of a window.
        padding (Padding): What makes the map one of whole windows.
        device (torch.device): Where the mask is to be.

    Returns:
        Tensor: bool, (windows of an image, 1, 1, height * width); True where a place is not of the map.
    """
    sides = []
    for own, window, before in zip(size, window_size, (padding.top, padding.left)):
        places = torch.arange((own + window - 1) // window * window, device=device) - before
        sides.append(((places < 0) | (places >= own)).view(-1, window))
    rows, columns = sides
    mask = rows[:, None, :, None] | columns[None, :, None, :]
    return mask.flatten(2).flatten(0, 1)[:, None, None]


def has_symbolic_size(x: Tensor) -> bool:
    """Whether a graph for any height and width of a map is being exported, so that nothing may depend on them."""
    return any(isinstance(size, torch.SymInt) for size in x.shape[1:])


def is_exporting() -> bool:
    """Whether a graph is recorded that holds PyTorch's operators alone."""
    return torch.compiler.is_compiling() and not torch.compiler.is_dynamo_compiling()


def pad_by_index(x: Tensor, value: Tensor, window_size: tuple[int, int], padding: Padding) -> Tensor:
    """:meth:`Padding.pad` to whole windows, in operations that are the same whether there is padding or not,
    and that write into no map."""
    places = [torch.arange((size + window - 1) // window * window, device=x.device) - before
              for size, window, before in zip(x.shape[1:3], window_size, (padding.top, padding.left))]
    rows, columns = ((place >= 0) & (place < size) for place, size in zip(places, x.shape[1:3]))
    for dim, place in enumerate(places, start=1):
        x = x.index_select(dim, place.clamp(0, x.shape[dim] - 1))
    return torch.where((rows[:, None] & columns)[:, :, None], x, value)


def crop_by_index(x: Tensor, size: tuple[int, int], padding: Padding) -> Tensor:
    """Undo :func:`pad_by_index`, to a map of `size` (H, W)."""
    for dim, (own, before) in enumerate(zip(size, (padding.top, padding.left)), start=1):
        x = x.index_select(dim, torch.arange(own, device=x.device) + before)
    return x
