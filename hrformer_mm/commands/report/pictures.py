"""Examples of the pictures that --show-dir left, small enough for a page."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

_SUFFIXES = {'.png', '.jpg', '.jpeg'}
_WIDTH, _HEIGHT, _QUALITY = 960, 720, 80  # at most so many pixels, of JPEG


@dataclass(frozen=True)
class Picture:
    """A picture, downscaled, as a data: address."""
    name: str
    address: str
    width: int
    height: int


@dataclass
class Pictures:
    """What was chosen of how many found, and what could not be read."""
    found: int = 0
    chosen: list[Picture] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


def choose(folders: Sequence[Path], wanted: int) -> Pictures:
    """Take so many pictures, evenly spread over those in the folders and below, by name.

    Raises:
        FileNotFoundError: If one of the folders is not there.
    """
    done = Pictures()
    for folder in folders:
        if not folder.is_dir():
            raise FileNotFoundError(f'there is no folder {folder}: give the one that --show-dir named')
    paths = sorted({path for folder in folders for path in folder.rglob('*')
                    if path.suffix.lower() in _SUFFIXES and path.is_file()})
    done.found = len(paths)
    for index in np.linspace(0, len(paths) - 1, min(wanted, len(paths))).round().astype(int):
        data = np.fromfile(paths[index], np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        if image is None:
            done.broken.append(paths[index].name)
        else:
            done.chosen.append(_embed(paths[index].name, image))
    return done


def _embed(name: str, image: np.ndarray) -> Picture:
    height, width = image.shape[:2]
    scale = min(1.0, _WIDTH / width, _HEIGHT / height)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    address = 'data:image/jpeg;base64,' + base64.b64encode(data.tobytes()).decode()
    return Picture(name, address, image.shape[1], image.shape[0])
