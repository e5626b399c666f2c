"""Drawing for the generated data sets: shapes, textures, a canvas that keeps labels, image files.

Pictures are RGB, points are ``(x, y)`` in pixels with the origin at the centre of the top left pixel.
"""
from pathlib import Path
from typing import Optional, Sequence
from zlib import crc32

import cv2
import numpy as np

SUBPIXEL_BITS = 4
JPEG_QUALITY = 92


def image_rng(seed: int, name: str, index: int) -> np.random.Generator:
    """Random numbers of one image: the same whatever else is drawn, in whatever order.

    Args:
        seed (int): Seed of the whole data set.
        name (str): Which set the image belongs to, such as ``'coco/val'``.
        index (int): Number of the image in that set.
    """
    return np.random.default_rng([seed, crc32(name.encode()), index])


def box(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    """Corners of an upright rectangle, (4, 2)."""
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=np.float64)


def ellipse(centre: Sequence[float], radii: Sequence[float], angle: float = 0.0) -> np.ndarray:
    """Outline of an ellipse turned by ``angle`` radians, (32, 2)."""
    turn = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    points = np.stack([np.cos(turn) * radii[0], np.sin(turn) * radii[1]], axis=1)
    return rotate(points, angle) + np.asarray(centre, dtype=np.float64)


def limb(start: Sequence[float], end: Sequence[float], start_radius: float, end_radius: float) -> np.ndarray:
    """Outline of a rounded, tapering bar between two points, (N, 2)."""
    ends = np.concatenate([ellipse(start, (start_radius, ) * 2), ellipse(end, (end_radius, ) * 2)])
    return cv2.convexHull(ends.astype(np.float32))[:, 0].astype(np.float64)


def rotate(points: np.ndarray, angle: float) -> np.ndarray:
    """Turn points (N, 2) about the origin by ``angle`` radians, clockwise as seen in the picture."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray(points) @ np.array([[cos, sin], [-sin, cos]])


def smooth_noise(rng: np.random.Generator, size: Sequence[int], cell: float) -> np.ndarray:
    """Random hills about ``cell`` pixels wide, mean 0 and deviation near 1.

    Args:
        size (Sequence[int]): Width and height in pixels.
        cell (float): Width of a hill in pixels; 1 gives white noise.

    Returns:
        np.ndarray: (height, width), float32.
    """
    width, height = size
    grid = rng.standard_normal((int(np.ceil(height / cell)) + 1, int(np.ceil(width / cell)) + 1), dtype=np.float32)
    return cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)


def stripes(size: Sequence[int], period: float, angle: float = 0.0) -> np.ndarray:
    """Waves from -1 to 1 along the direction ``angle`` (radians), ``period`` pixels long; (height, width), float32."""
    y, x = np.mgrid[:size[1], :size[0]].astype(np.float32)
    return np.sin((x * np.cos(angle) + y * np.sin(angle)) * (2 * np.pi / period))


def vary(rng: np.random.Generator, colour: Sequence[float], shade: float = 15, hue: float = 8) -> np.ndarray:
    """A colour near ``colour``: lighter or darker by about ``shade``, each channel off by about ``hue``."""
    return np.clip(np.asarray(colour) + rng.normal(0, shade) + rng.normal(0, hue, 3), 5, 250)


def any_colour(rng: np.random.Generator) -> np.ndarray:
    """Any colour of paint or cloth: grey as often as bright."""
    grey = rng.uniform(25, 225)
    return np.clip(grey + rng.uniform(-1, 1, 3) * rng.choice([10, 90]), 10, 245)


class Canvas:
    """An RGB picture and, painted with it, the label of what is seen at each pixel.

    Args:
        size (Sequence[int]): Width and height in pixels.
    """

    def __init__(self, size: Sequence[int]) -> None:
        self.size = tuple(size)
        self.image = np.zeros((size[1], size[0], 3), dtype=np.float32)
        self.labels = np.zeros((size[1], size[0]), dtype=np.uint8)

    def paint(self,
              outline: np.ndarray,
              colour: Sequence[float],
              label: Optional[int] = None,
              texture: Optional[np.ndarray] = None,
              opacity: float = 1.0) -> None:
        """Paint a polygon over what is there.

        Args:
            outline (np.ndarray): Corners, (N, 2); they may lie outside of the picture.
            colour (Sequence[float]): Red, green and blue, 0 to 255.
            label (int, optional): Label of the polygon's pixels. None, for a detail, leaves them as they are.
            texture (np.ndarray, optional): Brightness to add, (height, width) of the whole picture.
            opacity (float): Below 1 what is beneath shines through.
        """
        low = np.maximum(np.floor(outline.min(axis=0)).astype(int) - 1, 0)
        high = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + 2, self.size)
        if (low >= high).any():
            return
        cover = np.zeros((high[1] - low[1], high[0] - low[0]), dtype=np.uint8)
        corners = np.round((outline - low) * 2**SUBPIXEL_BITS).astype(np.int32)
        cv2.fillPoly(cover, [corners], 255, lineType=cv2.LINE_AA, shift=SUBPIXEL_BITS)

        window = (slice(low[1], high[1]), slice(low[0], high[0]))
        paint = np.asarray(colour, dtype=np.float32)
        if texture is not None:
            paint = paint + texture[window][..., None]
        alpha = cover[..., None] * np.float32(opacity / 255)
        self.image[window] += alpha * (paint - self.image[window])
        if label is not None:
            self.labels[window][cover >= 128] = label

    def develop(self, rng: np.random.Generator, noise: float = 5, blur: float = 0.5) -> np.ndarray:
        """The picture as a camera saw it: own exposure and tint, slight blur, sensor noise.

        Returns:
            np.ndarray: (height, width, 3), uint8, RGB.
        """
        light = np.float32(rng.uniform(0.8, 1.15) * rng.uniform(0.95, 1.05, 3))
        shade = 1 + 0.06 * smooth_noise(rng, self.size, max(self.size) / 3)
        seen = cv2.GaussianBlur(self.image, (0, 0), blur) * (light * shade[..., None])
        seen += noise * rng.standard_normal(seen.shape, dtype=np.float32)
        return np.clip(seen, 0, 255).round().astype(np.uint8)


def write_image(path: Path, image: np.ndarray) -> None:
    """Write an RGB (H, W, 3) or grey (H, W) uint8 picture as PNG or JPEG, after the name's ending."""
    if image.ndim == 3:
        image = image[..., ::-1]
    ending = path.suffix.lower()
    quality = [] if ending == '.png' else [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    encoded = cv2.imencode(ending, np.ascontiguousarray(image), quality)[1]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded.tobytes())
