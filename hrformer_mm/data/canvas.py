"""An image and its pixel labels, drawn together."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

# The 19 classes of Cityscapes in the order of their train ids, and one class that Cityscapes ignores.
KINDS = (
    'road',
    'sidewalk',
    'building',
    'wall',
    'fence',
    'pole',
    'traffic_light',
    'traffic_sign',
    'vegetation',
    'terrain',
    'sky',
    'person',
    'rider',
    'car',
    'truck',
    'bus',
    'train',
    'motorcycle',
    'bicycle',
    'static',
)
SUBPIXEL_BITS = 4
Vector = Sequence[float] | np.ndarray


class Canvas:
    """An RGB image with a label map of two channels: the index in :data:`KINDS`, and the number of the person or 0.

    Points are (x, y) in pixels, with the origin at the centre of the top left pixel. They may lie outside the image.

    Args:
        size (Tuple[int, int]): Width and height in pixels.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.image = np.zeros((size[1], size[0], 3), dtype=np.uint8)
        self.labels = np.zeros((size[1], size[0], 2), dtype=np.uint8)

    def polygon(self, corners: Sequence[Vector], colour: Vector, kind: str, person: int = 0) -> None:
        """Fill a polygon (N, 2)."""
        outline = np.round(np.asarray(corners) * 2**SUBPIXEL_BITS).astype(np.int32)
        cv2.fillPoly(self.image, [outline], tuple(map(float, colour)), cv2.LINE_AA, SUBPIXEL_BITS)
        cv2.fillPoly(self.labels, [outline], (KINDS.index(kind), person), cv2.LINE_8, SUBPIXEL_BITS)

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Vector, kind: str) -> None:
        """Fill an axis-aligned rectangle."""
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour, kind)

    def bar(self, start: Vector, end: Vector, thickness: float, colour: Vector, kind: str, person: int = 0) -> None:
        """Draw a thick line with rounded ends, or a disc if both ends are the same point."""
        first, last = np.round(np.array([start, end]) * 2**SUBPIXEL_BITS).astype(int).tolist()
        pixels = max(1, round(thickness))
        cv2.line(self.image, first, last, tuple(map(float, colour)), pixels, cv2.LINE_AA, SUBPIXEL_BITS)
        cv2.line(self.labels, first, last, (KINDS.index(kind), person), pixels, cv2.LINE_8, SUBPIXEL_BITS)

    def photograph(self, rng: np.random.Generator) -> np.ndarray:
        """Return the image (H, W, 3), uint8, with texture, a random exposure and sensor noise."""
        height, width = self.labels.shape[:2]
        grain = cv2.resize(rng.standard_normal((height // 3 + 1, width // 3 + 1)), (width, height))
        grain *= np.where(self.labels[..., 0] == KINDS.index('vegetation'), 24, 7)
        light = rng.uniform(0.85, 1.1) * rng.uniform(0.96, 1.04, 3)
        seen = (self.image + grain[..., None]) * light + rng.normal(0, 4, self.image.shape)
        return np.clip(seen, 0, 255).round().astype(np.uint8)


def write_image(path: Path, image: np.ndarray) -> None:
    """Write an RGB (H, W, 3) or grayscale (H, W) uint8 image in the format given by the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 else image)
