"""Top-down pose estimation."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from . import drawing
from .decoding import decode
from .model import Model, Result


class Pose(Model):
    """A top-down pose estimator. A result has `people`, each with `box`, `score` and named `keypoints`: x, y and score.

    Attributes:
        flip_test (bool): Average the heatmaps of each crop with those of its mirror image. Default: the value in the
            config's test_cfg.
    """

    def __init__(self, engine: Any, metadata: dict[str, Any]) -> None:
        super().__init__(engine, metadata)
        self.flip_test: bool = metadata['flip']['test']

    def __call__(self, images: Any, boxes: Any = None, batch: int = 16) -> Any:
        """Estimate the keypoints in each box.

        Args:
            images (np.ndarray | list): One image, or a list of images.
            boxes (array-like, optional): (people, 4), x0, y0, x1 and y1 in pixels, or (people, 5) with scores; for a
                list of images, a list of these. Default: one box around the whole image.
            batch (int): Number of boxes per batch. Default: 16.
        """
        if isinstance(images, (list, tuple)):
            boxes = [None] * len(images) if boxes is None else boxes
            return [self(image, of_image, batch) for image, of_image in zip(images, boxes, strict=True)]
        if boxes is None:
            boxes = [[0, 0, images.shape[1], images.shape[0]]]
        return self._find(images, _check_boxes(boxes), batch)

    def draw(self, image: np.ndarray, result: Result, threshold: float = drawing.THRESHOLD) -> np.ndarray:
        """Draw boxes, skeletons, and keypoints with a score of at least `threshold`; returns (H, W, 3), BGR, uint8."""
        boxes = [person['box'] for person in result['people']]
        return drawing.draw_people(image, boxes, result.array, self.metadata, threshold)

    def _find(self, image: np.ndarray, boxes: np.ndarray, batch: int) -> Result:
        names, (height, width) = self.metadata['keypoints'], self.metadata['size']
        if not len(boxes):
            return Result(dict(people=[]), np.zeros((0, len(names), 3), np.float32))
        pixels = self.prepare(image)
        found = []
        for first in range(0, len(boxes), batch):
            centers, scales = self._regions(boxes[first : first + batch])
            crops = [
                cv2.warpAffine(pixels, self._matrix(*region), (width, height), flags=cv2.INTER_LINEAR).reshape(
                    height, width, -1
                )
                for region in zip(centers, scales)
            ]
            for heatmaps, center, scale in zip(self._heatmaps(crops), centers, scales):
                points, scores = decode(heatmaps, self.metadata['codec'])
                points = points / (width, height) * scale + center - 0.5 * scale
                found.append(np.concatenate([points, scores[:, None]], 1))
        array = np.stack(found).astype(np.float32)
        return Result(dict(self.sizes(image, crops[0]), people=describe(boxes, array, names)), array)

    def _regions(self, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Enlarge boxes by the margin and to the aspect ratio of the input; returns centers and sizes (boxes, 2)."""
        sizes = (boxes[:, 2:4] - boxes[:, :2]) * self.metadata['box_scale']
        ratio = self.metadata['size'][1] / self.metadata['size'][0]
        width, height = sizes[:, :1], sizes[:, 1:]
        wide = width > height * ratio
        sizes = np.where(wide, np.hstack([width, width / ratio]), np.hstack([height * ratio, height]))
        return (boxes[:, 2:4] + boxes[:, :2]) * 0.5, sizes

    def _matrix(self, center: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """Return the affine map from a picture to the input, which aligns pixel centers with UDP, else corners."""
        out = np.array(self.metadata['size'][::-1], np.float32)
        if self.metadata['udp']:
            factor = (out - 1) / scale
            return np.column_stack([np.diag(factor), factor * (0.5 * scale - center)]).astype(np.float32)
        half, middle = scale[0] * 0.5, out * 0.5
        source = np.array([center, center - [half, 0], center - [half, -half]], np.float32)
        target = np.array([middle, middle - [middle[0], 0], middle - [middle[0], -middle[0]]], np.float32)
        return cv2.getAffineTransform(source, target)

    def _heatmaps(self, crops: Sequence[np.ndarray]) -> list[np.ndarray]:
        heatmaps = self.run(crops)
        if not self.flip_test:
            return heatmaps
        flip = self.metadata['flip']
        return [
            (own + _unflip(mirrored, **flip)) * np.float32(0.5)
            for own, mirrored in zip(heatmaps, self.run([crop[:, ::-1] for crop in crops]))
        ]


def describe(
    boxes: np.ndarray, keypoints: np.ndarray, names: Sequence[str], tracks: Sequence[int] | None = None
) -> list[dict[str, Any]]:
    """Convert people to the plain data of `predictions.json`.

    Args:
        boxes (np.ndarray): (people, 5), x0, y0, x1, y1 and score.
        keypoints (np.ndarray): (people, K, 3), x, y and score.
        names (Sequence[str]): The names of the K keypoints.
        tracks (Sequence[int], optional): The track number of each person in a video.
    """
    people = [
        dict(
            box=[round(float(v), 2) for v in box],
            score=round(float(box[4]), 4),
            keypoints={name: [round(float(v), 3) for v in point] for name, point in zip(names, points)},
        )
        for box, points in zip(boxes, keypoints)
    ]
    return people if tracks is None else [dict(track=track, **person) for track, person in zip(tracks, people)]


def _unflip(heatmaps: np.ndarray, test: bool, mode: str, shift: bool, indices: Sequence[int]) -> np.ndarray:
    """Flip the heatmaps (K, H, W) of a mirrored image back, as mmpose's `flip_heatmaps` does."""
    parts = 3 if mode == 'udp_combined' else 1
    maps = heatmaps.reshape(-1, parts, *heatmaps.shape[1:])[indices][..., ::-1].copy()
    if parts == 3:
        maps[:, 1] *= -1  # the horizontal offset
    maps = maps.reshape(heatmaps.shape)
    if shift:
        maps[..., 1:] = maps[..., :-1].copy()
    return maps


def _check_boxes(boxes: Any) -> np.ndarray:
    """Return boxes as (people, 5). The score defaults to 1."""
    boxes = np.asarray(boxes, np.float32)
    if boxes.size == 0:
        return np.zeros((0, 5), np.float32)
    if boxes.ndim != 2 or boxes.shape[1] not in (4, 5) or not (boxes[:, 2:4] > boxes[:, :2]).all():
        raise ValueError(
            f'boxes must be (people, 4), x0, y0, x1 and y1 with x1 > x0 and y1 > y0, but are {boxes.tolist()}'
        )
    return boxes if boxes.shape[1] == 5 else np.hstack([boxes, np.ones((len(boxes), 1), np.float32)])
