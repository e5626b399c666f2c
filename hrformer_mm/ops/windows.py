"""Cutting channels-last maps into windows, and back."""

from torch import Tensor


def padding(size: int, window: int) -> tuple[int, int]:
    """How many places to add before and after an axis of `size` so that `window` divides it.

    The map sits in the centre; an odd remainder goes to the end.
    """
    total = -size % window
    return total // 2, total - total // 2


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
    return x.reshape(parts, n * rows * columns, heads, height * width, c // (parts * heads))


def merge_windows(windows: Tensor, window_size: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Undo :func:`partition_windows` for one part.

    Args:
        windows (Tensor): (N * H / height * W / width, heads, height * width, D).
        window_size (tuple[int, int]): Height and width of a window.
        size (tuple[int, int]): H and W of the map, which the window divides.

    Returns:
        Tensor: (N, H, W, heads * D).
    """
    (height, width), (h, w) = window_size, size
    count, heads, _, d = windows.shape
    rows, columns = h // height, w // width
    n = count // (rows * columns)
    x = windows.view(n, rows, columns, heads, height, width, d).permute(0, 1, 4, 2, 5, 3, 6)
    return x.reshape(n, h, w, heads * d)
