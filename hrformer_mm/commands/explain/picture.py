"""Read the image to explain."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config

from ..predict.pipeline import Loader, check_channels


def read_picture(
    cfg: Config, path: str, max_side: int, pixel: tuple[int, int] | None = None
) -> tuple[np.ndarray, dict[str, Any]]:
    """Read an image as a config does, and shrink it by averaging if its longer side exceeds `max_side` pixels.

    Args:
        cfg (Config): The config, whose test pipeline loads the image.
        path (str): Path of the image.
        max_side (int): Maximum length of the longer side in pixels.
        pixel (tuple[int, int], optional): x and y in the file. Default: the center.

    Returns:
        tuple[np.ndarray, dict]: The image, (H, W) or (H, W, C), BGR; and the `size` (width and height) and the `pixel`
        (x and y) in the file, and those in the shrunk image (`seen` and `pixel_seen`).

    Raises:
        FileNotFoundError, ValueError: If the file is missing or not an image, or if the pixel is outside of it.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'there is no picture {path}')
    if max_side < 1:
        raise ValueError(f'max_side is {max_side}, but must be at least 1 pixel')
    loaded = Loader(cfg)(path)
    check_channels(loaded, cfg)
    image = loaded['img']
    height, width = image.shape[:2]
    x, y = pixel or (width // 2, height // 2)
    if not (0 <= x < width and 0 <= y < height):
        raise ValueError(
            f'the pixel is {x} {y}, but {path} has {width} x {height} pixels: x must be 0 to {width - 1}, and y 0 to '
            f'{height - 1}'
        )
    factor = min(1.0, max_side / max(width, height))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), dict(
        path=path,
        size=(width, height),
        seen=size,
        pixel=(x, y),
        pixel_seen=(x * size[0] // width, y * size[1] // height),
    )
