"""The camera of the street scenes: from metres in the street to pixels in the picture."""
from typing import Dict, Sequence

import numpy as np

from .drawing import Canvas, smooth_noise, stripes

EYE = 1.8  # height of the camera above the road, metres


class Street:
    """A canvas with a camera: metres right of it, up from the ground and ahead become pixels.

    Args:
        rng (np.random.Generator): Decides where the camera looks.
        size (Sequence[int]): Width and height in pixels.
        labels (Dict[str, int]): Label of each kind of thing.
    """

    def __init__(self, rng: np.random.Generator, size: Sequence[int], labels: Dict[str, int]) -> None:
        self.rng = rng
        self.canvas = Canvas(size)
        self.labels = labels
        width, height = size
        self.focal = 0.7 * width
        self.vanishing_point = np.array([width * rng.uniform(0.38, 0.62), height * rng.uniform(0.38, 0.46)])
        unit = width / 256
        self.textures = dict(
            fine=8 * smooth_noise(rng, size, 1.5 * unit),
            coarse=10 * smooth_noise(rng, size, 12 * unit),
            leaves=22 * smooth_noise(rng, size, 2.5 * unit) + 12 * smooth_noise(rng, size, 9 * unit),
            grass=9 * smooth_noise(rng, size, 2 * unit) + 9 * smooth_noise(rng, size, 16 * unit),
            bricks=9 * stripes(size, 5 * unit, np.pi / 2) + 6 * smooth_noise(rng, size, 2 * unit),
            slats=30 * stripes(size, 4 * unit) + 6 * smooth_noise(rng, size, 2 * unit))

    def project(self, points: Sequence[Sequence[float]]) -> np.ndarray:
        """Pixels (N, 2) of points (right, up, ahead) in metres."""
        right, up, ahead = np.asarray(points, dtype=np.float64).T
        return self.vanishing_point + np.stack([right, EYE - up], axis=1) * (self.focal / ahead)[:, None]

    def scale(self, ahead: float) -> float:
        """Pixels per metre at a distance."""
        return self.focal / ahead

    def paint(self, outline: np.ndarray, colour: Sequence[float], kind: str = '', texture: str = '',
              opacity: float = 1.0) -> None:
        """Paint a polygon in pixels; ``kind`` names its label, '' leaves the labels as they are."""
        self.canvas.paint(outline, colour, self.labels[kind] if kind else None, self.textures.get(texture), opacity)

    def ground(self, left: float, right: float, near: float, far: float) -> np.ndarray:
        """Outline in pixels of a rectangle on the ground."""
        return self.project([(left, 0, near), (right, 0, near), (right, 0, far), (left, 0, far)])

    def upright(self, right: float, bottom: float, top: float, near: float, far: float) -> np.ndarray:
        """Outline in pixels of a wall that runs along the road."""
        return self.project([(right, bottom, near), (right, bottom, far), (right, top, far), (right, top, near)])
