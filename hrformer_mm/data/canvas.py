"""A picture and, drawn in the same strokes, what each of its pixels shows."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

# The 19 classes of Cityscapes in the order of its train ids, and one that it ignores.
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


class Canvas:
    """An RGB image of this width and height, and labels: the index of the kind, and the number of the person or 0.

    Points are (x, y) in pixels with the origin at the centre of the top left pixel; they may be outside of the picture.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.image = np.zeros((size[1], size[0], 3), dtype=np.uint8)
        self.labels = np.zeros((size[1], size[0], 2), dtype=np.uint8)

    def polygon(self, corners: Sequence, colour: Sequence[float], kind: str, person: int = 0) -> None:
        """Fill a polygon (N, 2)."""
        outline = np.round(np.asarray(corners) * 2**SUBPIXEL_BITS).astype(np.int32)
        cv2.fillPoly(self.image, [outline], tuple(map(float, colour)), cv2.LINE_AA, SUBPIXEL_BITS)
        cv2.fillPoly(self.labels, [outline], (KINDS.index(kind), person), cv2.LINE_8, SUBPIXEL_BITS)

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Sequence[float], kind: str) -> None:
        """Fill an upright rectangle."""
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour, kind)

    def bar(
        self,
        start: Sequence[float],
        end: Sequence[float],
        thickness: float,
        colour: Sequence[float],
        kind: str,
        person: int = 0,
    ) -> None:
        """Draw a thick line with rounded ends; it is a disc where both ends are the same."""
        ends = np.round(np.array([start, end]) * 2**SUBPIXEL_BITS).astype(int).tolist()
        pixels = max(1, round(thickness))
        cv2.line(self.image, *ends, tuple(map(float, colour)), pixels, cv2.LINE_AA, SUBPIXEL_BITS)
        cv2.line(self.labels, *ends, (KINDS.index(kind), person), pixels, cv2.LINE_8, SUBPIXEL_BITS)

    def photograph(self, rng: np.random.Generator) -> np.ndarray:
        """The image (height, width, 3), uint8, with grain, strongest in plants, a random exposure and sensor noise."""
        height, width = self.labels.shape[:2]
        grain = cv2.resize(rng.standard_normal((height // 3 + 1, width // 3 + 1)), (width, height))
        grain *= np.where(self.labels[..., 0] == KINDS.index('vegetation'), 24, 7)
        light = rng.uniform(0.85, 1.1) * rng.uniform(0.96, 1.04, 3)
        seen = (self.image + grain[..., None]) * light + rng.normal(0, 4, self.image.shape)
        return np.clip(seen, 0, 255).round().astype(np.uint8)


def write_image(path: Path, image: np.ndarray) -> None:
    """Write an RGB (H, W, 3) or grey (H, W) uint8 picture in the format that the suffix names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 else image)
