"""Cutting channels-last maps into windows, and back."""

from torch import Tensor


def padding(size: int, window: int) -> tuple[int, int]:
    """How many places to add before and after an axis of `size` so that `window` divides it.

    The map sits in the centre; an odd remainder goes to the end.
    """
    total = -size % window
    return total // 2, total - total // 2


def partition_windows(x: Tensor, window_size: tuple[int, int]) -> Tensor:
    """Cut a map into windows that do not overlap.

    Args:
        x (Tensor): (N, H, W, C), where the window divides H and W.
        window_size (tuple[int, int]): Height and width of a window.

    Returns:
        Tensor: (N * H / height * W / width, height * width, C), windows in reading order.
    """
    n, h, w, c = x.shape
    height, width = window_size
    x = x.view(n, h // height, height, w // width, width, c).transpose(2, 3)
    return x.reshape(n * (h // height) * (w // width), height * width, c)


def merge_windows(windows: Tensor, window_size: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Undo :func:`partition_windows`.

    Args:
        windows (Tensor): (N * H / height * W / width, height * width, C).
        window_size (tuple[int, int]): Height and width of a window.
        size (tuple[int, int]): H and W of the map, which the window divides.

    Returns:
        Tensor: (N, H, W, C).
    """
    (height, width), (h, w), c = window_size, size, windows.shape[-1]
    n = windows.shape[0] // ((h // height) * (w // width))
    x = windows.view(n, h // height, w // width, height, width, c).transpose(2, 3)
    return x.reshape(n, h, w, c)
