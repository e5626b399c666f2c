"""Where pictures come from: files, folders, patterns, videos and cameras."""

import glob
import mimetypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import cv2
import numpy as np

CAMERA = 'camera:'


@dataclass(frozen=True)
class Source:
    """A picture's file, a video's, or a camera's number."""
    name: str
    kind: str  # 'image', 'video' or 'camera'

    @property
    def stem(self) -> str:
        return self.name.replace(':', '') if self.kind == 'camera' else Path(self.name).stem


def find_sources(names: Sequence[str]) -> list[Source]:
    """What each of the user's words stands for.

    Args:
        names (Sequence[str]): Files, folders (all pictures and videos in them), patterns, and 'camera:0'.

    Raises:
        FileNotFoundError: If one stands for nothing.
        ValueError: If a camera has no number.
    """
    found: dict[Source, None] = {}  # each once, in order
    for name in names:
        if name.startswith(CAMERA):
            if not name.removeprefix(CAMERA).isdecimal():
                raise ValueError(f'{name} is no camera: give its number, as in {CAMERA}0')
            found[Source(name, 'camera')] = None
            continue
        if Path(name).is_dir():
            inside = [(str(path), _kind(path)) for path in sorted(Path(name).iterdir()) if path.is_file()]
            files = [Source(path, kind) for path, kind in inside if kind]
        elif Path(name).is_file():  # its content is looked at when its turn comes
            files = [Source(name, _kind(Path(name)) or 'image')]
        else:
            files = [Source(path, _kind(Path(path)) or 'image') for path in sorted(glob.glob(name, recursive=True))
                     if Path(path).is_file()]
        if not files:
            raise FileNotFoundError(f'there is no picture or video at {name}: give a file, a folder with some in it, a '
                                    f'pattern in quotes, or {CAMERA}0')
        found.update(dict.fromkeys(files))
    return list(found)


def _kind(path: Path) -> Optional[str]:
    kind = (mimetypes.guess_type(path.name)[0] or '').split('/')[0]
    return kind if kind in ('image', 'video') else None


def read_image(path: str) -> np.ndarray:
    """(H, W, 3), BGR, uint8.

    Raises:
        ValueError: If the file is no picture, or is cut short.
    """
    try:
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        image = None
    if image is None:
        raise ValueError(f'{path} cannot be read as a picture: is it one, and whole?')
    return image


class Frames:
    """The frames of a video or camera, (H, W, 3), BGR.

    Raises:
        ValueError: If it cannot be opened.
    """

    def __init__(self, source: Source, limit: Optional[int] = None) -> None:
        camera = source.kind == 'camera'
        self.capture = cv2.VideoCapture(int(source.name.removeprefix(CAMERA)) if camera else source.name)
        if not self.capture.isOpened():
            raise ValueError(f'{source.name} cannot be opened: ' +
                             ('is it plugged in, free, and yours to read (group video)?' if camera else
                              'is it a video, and whole?'))
        self.rate = self.capture.get(cv2.CAP_PROP_FPS) or 25.0
        count = int(self.capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.length = limit if camera else min(count, limit or count)
        self.limit = limit

    def __iter__(self) -> Iterator[np.ndarray]:
        number = 0
        try:
            while self.limit is None or number < self.limit:
                read, frame = self.capture.read()
                if not read:
                    return
                yield frame
                number += 1
        finally:
            self.capture.release()

    def __length_hint__(self) -> int:
        return self.length or 0
