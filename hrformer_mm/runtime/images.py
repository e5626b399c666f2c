"""Read and convert images in OpenCV's layout: (H, W) or (H, W, C), BGR."""

from typing import Any

import cv2
import numpy as np

READ = dict(
    color=cv2.IMREAD_COLOR,
    grayscale=cv2.IMREAD_GRAYSCALE,
    unchanged=cv2.IMREAD_UNCHANGED,
    color_ignore_orientation=cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION,
    grayscale_ignore_orientation=cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION,
)
_DTYPES = (np.uint8, np.uint16, np.float32)


def read_image(path: str, color_type: str = 'color') -> np.ndarray:
    """Read an image file as mmcv does, and apply its EXIF orientation unless `color_type` ignores it.

    Raises:
        ValueError: If the file cannot be read.
    """
    try:
        image = cv2.imdecode(np.fromfile(path, np.uint8), READ[color_type])
    except (OSError, cv2.error):
        image = None
    if image is None:
        raise ValueError(
            f'{path} cannot be read as a picture: convert it to a format that OpenCV reads, for example PNG'
        )
    return image


def convert_channels(image: Any, channels: int) -> np.ndarray:
    """Convert an image (H, W) or (H, W, C), with C in 1, 3 and 4, to (H, W, channels).

    Raises:
        TypeError, ValueError: If the image has another type or shape, or cannot be converted.
    """
    if not isinstance(image, np.ndarray) or image.dtype not in _DTYPES:
        kind = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
        raise TypeError(
            f'the image is of {kind}, but must be an array of uint8 (or uint16 or float32), as cv2.imread returns it'
        )
    image = channels_last(image)
    if image.ndim != 3 or not image.size:
        raise ValueError(f'the image has the shape {image.shape}, but must be (H, W) or (H, W, C)')
    if image.shape[2] == channels:
        return image
    code = {
        (3, 1): cv2.COLOR_BGR2GRAY,
        (4, 1): cv2.COLOR_BGRA2GRAY,
        (1, 3): cv2.COLOR_GRAY2BGR,
        (4, 3): cv2.COLOR_BGRA2BGR,
    }.get((image.shape[2], channels))
    if code is None:
        raise ValueError(f'the image has {image.shape[2]} channels, but the model takes {channels}')
    return channels_last(cv2.cvtColor(image, code))


def channels_last(image: np.ndarray) -> np.ndarray:
    """Return an image (H, W), whose single channel OpenCV dropped, as (H, W, 1)."""
    return image[..., None] if image.ndim == 2 else image


def drawable(image: np.ndarray) -> np.ndarray:
    """Copy an image of any type and number of channels to (H, W, 3), BGR, uint8."""
    image = channels_last(image)
    if image.dtype != np.uint8:
        image = (image * (255 / max(255, float(image.max())))).clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(image[..., [0, 1, 2] if image.shape[2] > 2 else [0, 0, 0]])
