"""Draw results on images of any type; the pictures are (H, W, 3), BGR, uint8."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .images import drawable

OPACITY = 0.6
THRESHOLD = 0.3  # minimum score of the keypoints that are drawn
LINES = 20  # maximum number of lines in a legend
_SMALLEST = 14  # minimum font size in pixels

Row = tuple[str, Sequence[int] | None]


def draw_segmentation(
    image: np.ndarray,
    labels: np.ndarray,
    shares: Mapping[str, float],
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    font: str | None = None,
) -> np.ndarray:
    """Blend the colors of the classes with an image, and add a legend of the `shares` of its pixels."""
    colors = np.array(palette, np.uint8)
    picture = drawable(image) * (1 - OPACITY) + colors[labels][..., ::-1] * OPACITY
    rows = [(f'{name} {share:.1%}', colors[list(classes).index(name)]) for name, share in shares.items()]
    return add_legend(picture.astype(np.uint8), rows[:LINES], f'{max(classes, key=len)} 100.0%', font)


def draw_labels(
    image: np.ndarray, labels: Sequence[Mapping[str, Any]], classes: Sequence[str], font: str | None = None
) -> np.ndarray:
    """List the `score` and the `name` of each label next to an image."""
    rows = [(f'{label["score"]:.1%} {label["name"]}', None) for label in labels]
    return add_legend(drawable(image), rows, f'100.0% {max(classes, key=len)}', font)


def draw_people(
    image: np.ndarray,
    boxes: Sequence[Sequence[float]] | np.ndarray,
    people: np.ndarray,
    metadata: Mapping[str, Any],
    threshold: float,
) -> np.ndarray:
    """Draw boxes, skeletons and keypoints.

    Args:
        image (np.ndarray): The image.
        boxes (Sequence): (people, 4 or more), x0, y0, x1 and y1.
        people (np.ndarray): (people, K, 3), x, y and score of each keypoint.
        metadata (Mapping): `skeleton`, `skeleton_colors` and `keypoint_colors`, RGB.
        threshold (float): Minimum score of the keypoints that are drawn.
    """
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


def add_legend(picture: np.ndarray, rows: Sequence[Row], widest: str, font: str | None = None) -> np.ndarray:
    """Add a white legend to the right of a picture.

    Args:
        picture (np.ndarray): (H, W, 3), BGR, uint8.
        rows (Sequence[tuple[str, Sequence[int] | None]]): The lines: a text, and the RGB color of a square before it,
            or None for no square.
        widest (str): A text that fits into the legend, so that all frames of a video have legends of the same width.
        font (str, optional): A TrueType file. Default: Pillow's own font, which has few letters beyond ASCII.

    Returns:
        np.ndarray: (H', W', 3), wider, and higher if the legend is.
    """
    size = max(_SMALLEST, min(picture.shape[:2]) // 40)
    letters, step, margin = _font(font, size), round(1.5 * size), size // 2
    left = picture.shape[1] + margin
    indent = left + (step if any(color is not None for _, color in rows) else 0)
    width = indent + int(max(letters.getlength(text) for text in (widest, *(text for text, _ in rows)))) + 2 * margin
    canvas = Image.new('RGB', (width, max(picture.shape[0], step * len(rows) + 2 * margin)), 'white')
    canvas.paste(Image.fromarray(np.ascontiguousarray(picture[..., ::-1])), (0, 0))
    draw = ImageDraw.Draw(canvas)
    for number, (text, color) in enumerate(rows):
        top = margin + number * step
        if color is not None:
            red, green, blue = map(int, color)
            draw.rectangle((left, top, left + size, top + size), (red, green, blue), outline='black')
        draw.text((indent, top), text, 'black', letters)
    return np.ascontiguousarray(np.asarray(canvas)[..., ::-1])


@lru_cache
def _font(path: str | None, size: int) -> Any:
    return ImageFont.truetype(path, size) if path else ImageFont.load_default(size)
