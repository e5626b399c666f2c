"""Resizing by Pillow, which antialiases; mmpretrain's test pipelines use it."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from .images import channels_last

INTERPOLATIONS = tuple(filter.name.lower() for filter in Image.Resampling)


def resize(image: np.ndarray, size: Sequence[int], interpolation: str) -> np.ndarray:
    """Resize an image (H, W, C), uint8, to `size` (width, height)."""
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    return channels_last(np.array(picture.resize((size[0], size[1]), Image.Resampling[interpolation.upper()])))
