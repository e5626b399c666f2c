"""Pillow's resizing of 8-bit images in NumPy: mmpretrain's test pipelines use it, and it antialiases.

Every byte is Pillow's where the ratio is kept; elsewhere some of its versions resize rows before columns, and round in
another order.
"""

from collections.abc import Callable, Sequence

import numpy as np

_BITS = 22  # of the fraction in Pillow's integer weights


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(x), 0)


def _cubic(x: np.ndarray, a: float = -0.5) -> np.ndarray:
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def _lanczos(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


_FILTERS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = dict(
    bilinear=(_triangle, 1), bicubic=(_cubic, 2), lanczos=(_lanczos, 3)
)
INTERPOLATIONS = ('nearest', *_FILTERS)


def resize(image: np.ndarray, size: Sequence[int], interpolation: str) -> np.ndarray:
    """Resize an image (H, W, C), uint8, to a size (width, height), as `PIL.Image.resize` does."""
    if interpolation == 'nearest':
        rows, columns = (_nearest(old, new) for new, old in zip(size[::-1], image.shape))
        return image[rows][:, columns]
    columns_first = _resize_rows(image.swapaxes(0, 1), size[0], interpolation).swapaxes(0, 1)
    return _resize_rows(columns_first, size[1], interpolation)


def _nearest(length: int, size: int) -> np.ndarray:
    step = length / size
    return np.cumsum([step / 2, *[step] * (size - 1)]).astype(int)  # with the rounding of sums, as in Pillow


def _resize_rows(image: np.ndarray, size: int, interpolation: str) -> np.ndarray:
    """Resize the first axis. The weights are integers, and their float64 products and sums are exact."""
    length = image.shape[0]
    if length == size:
        return image
    function, support = _FILTERS[interpolation]
    scale = length / size
    stretch = max(scale, 1.0)
    center = (np.arange(size)[:, None] + 0.5) * scale
    first = np.maximum((center - support * stretch + 0.5).astype(int), 0)
    last = np.minimum((center + support * stretch + 0.5).astype(int), length)
    index = np.arange(length)
    weights = np.where((index >= first) & (index < last), function((index - center + 0.5) / stretch), 0)
    weights /= weights.sum(1, keepdims=True)
    weights = np.trunc(weights * 2**_BITS + np.copysign(0.5, weights))
    total = np.tensordot(weights, image.astype(np.float64), 1)
    return np.clip(np.floor((total + 2 ** (_BITS - 1)) / 2**_BITS), 0, 255).astype(np.uint8)
