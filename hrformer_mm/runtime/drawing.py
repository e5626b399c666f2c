"""Results drawn on pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from .images import drawable

OPACITY = 0.6
SHOWN = 0.3  # the least score of a keypoint that is drawn


def draw_segmentation(
    image: np.ndarray,
    labels: np.ndarray,
    shares: Mapping[str, float],
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
) -> np.ndarray:
    """The classes over an image, and a legend beside it, which is equally wide for all frames of a video."""
    colors = np.array(palette, np.uint8)[:, ::-1]
    over = (drawable(image) * (1 - OPACITY) + colors[labels] * OPACITY).astype(np.uint8)
    scale, line = _text_size(over)
    width = cv2.getTextSize(max(classes, key=len) + ' 100.0%', cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0] + 2 * line
    legend = np.full((over.shape[0], width, 3), 255, np.uint8)
    for row, (name, share) in enumerate(shares.items()):
        top = line * row + line // 4
        color = tuple(map(int, colors[list(classes).index(name)]))
        cv2.rectangle(legend, (line // 4, top), (line, top + line * 3 // 4), color, -1)
        _write(legend, f'{name} {share:.1%}', (line * 5 // 4, top + line * 5 // 8), scale, (0, 0, 0))
    return np.hstack([over, legend])


def draw_labels(image: np.ndarray, texts: Sequence[str]) -> np.ndarray:
    """Lines of text in the upper left corner."""
    picture = drawable(image)
    scale, line = _text_size(picture)
    for row, text in enumerate(texts):
        position = line // 4, line * (row + 1)
        _write(picture, text, position, scale, (0, 0, 0), 3)
        _write(picture, text, position, scale, (255, 255, 255))
    return picture


def draw_people(
    image: np.ndarray,
    boxes: Sequence[Sequence[float]],
    people: np.ndarray,
    metadata: Mapping[str, Any],
    threshold: float,
) -> np.ndarray:
    """Boxes, skeletons and keypoints (people, keypoints, 3) with at least a score."""
    picture = drawable(image)
    radius = max(2, round(min(picture.shape[:2]) / 150))
    for box, keypoints in zip(boxes, people):
        corners = np.round(box).astype(int).tolist()
        cv2.rectangle(picture, corners[:2], corners[2:4], (0, 160, 0), max(1, radius // 2))
        points, shown = np.round(keypoints[:, :2]).astype(int).tolist(), keypoints[:, 2] >= threshold
        for (start, end), color in zip(metadata['skeleton'], metadata['skeleton_colors']):
            if shown[start] and shown[end]:
                cv2.line(picture, points[start], points[end], color[::-1], max(1, radius // 2), cv2.LINE_AA)
        for point, visible, color in zip(points, shown, metadata['keypoint_colors']):
            if visible:
                cv2.circle(picture, point, radius, color[::-1], -1, cv2.LINE_AA)
    return picture


def _text_size(image: np.ndarray) -> tuple[float, int]:
    """The scale of a font, and the height of its lines in pixels."""
    scale = max(0.4, min(image.shape[:2]) / 1000)
    return scale, round(45 * scale)


def _write(
    image: np.ndarray, text: str, position: tuple[int, int], scale: float, color: tuple[int, int, int], extra: int = 0
) -> None:
    cv2.putText(
        image, text, position, cv2.FONT_HERSHEY_SIMPLEX, scale, color, max(1, round(scale)) + extra, cv2.LINE_AA
    )
