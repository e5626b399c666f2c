"""Legends that are readable whatever the size of the picture."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

Row = tuple[str, Sequence[int] | None]
_SMALLEST = 14  # pixels, the height of letters


def text_size(picture: np.ndarray) -> int:
    """The size of letters for a picture (H, W, 3), in pixels."""
    return max(_SMALLEST, min(picture.shape[:2]) // 40)


def add_legend(picture: np.ndarray, rows: Sequence[Row], widest: str) -> np.ndarray:
    """Write lines of text, each after a square of a colour if it has one, on white to the right of a picture.

    Args:
        picture (np.ndarray): (H, W, 3), BGR, uint8.
        rows (Sequence[tuple[str, Sequence[int] | None]]): Text and colour, RGB.
        widest (str): A text that the legend has room for, so that it is equally wide for all frames of a video.

    Returns:
        np.ndarray: (H', W', 3), wider, and higher if the legend needs it.
    """
    size = text_size(picture)
    font, step, margin = _font(size), round(1.5 * size), size // 2
    left = picture.shape[1] + margin
    indent = left + (step if any(colour is not None for _, colour in rows) else 0)
    width = indent + int(max(font.getlength(text) for text in (widest, *(text for text, _ in rows)))) + 2 * margin
    canvas = Image.new('RGB', (width, max(picture.shape[0], step * len(rows) + 2 * margin)), 'white')
    canvas.paste(Image.fromarray(np.ascontiguousarray(picture[..., ::-1])), (0, 0))
    draw = ImageDraw.Draw(canvas)
    for number, (text, colour) in enumerate(rows):
        top = margin + number * step
        if colour is not None:
            draw.rectangle((left, top, left + size, top + size), tuple(map(int, colour)), outline='black')
        draw.text((indent, top), text, 'black', font)
    return np.ascontiguousarray(np.asarray(canvas)[..., ::-1])


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), 'fonts', 'ttf', 'DejaVuSans.ttf')), size)
