"""Bilinear resizing of float32 maps, equal to PyTorch's `interpolate`."""

from collections.abc import Sequence

import cv2
import numpy as np


def resize_maps(maps: np.ndarray, size: Sequence[int], align_corners: bool) -> np.ndarray:
    """Resize maps (C, H, W) to `size` (H', W')."""
    if maps.shape[1:] == tuple(size):
        return maps
    if not align_corners:
        return np.stack([cv2.resize(single, tuple(size[::-1]), interpolation=cv2.INTER_LINEAR) for single in maps])
    columns = _resize_axis(maps, 2, size[1])
    return _resize_axis(columns, 1, size[0])


def _resize_axis(maps: np.ndarray, axis: int, size: int) -> np.ndarray:
    last = maps.shape[axis] - 1
    positions = np.arange(size) * (last / max(size - 1, 1))
    low = np.minimum(positions.astype(int), last)
    weights = (positions - low).astype(np.float32).reshape((-1, 1) if axis == 1 else -1)
    lower, upper = maps.take(low, axis), maps.take(np.minimum(low + 1, last), axis)
    return lower + (upper - lower) * weights
