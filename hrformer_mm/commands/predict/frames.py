"""Frames of videos and cameras."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from .sources import CAMERA, Source

RATE = 25.0  # frames per second, if the file states none
_RATES = (0.1, 240.0)  # other values in files are not frame rates, but, for example, units of time
_MP4 = (b'ftyp', b'moov', b'mdat', b'wide', b'free', b'skip')  # types of the first box of MP4 and MOV files
_SLACK = 0.1  # relative: a container may state the duration of its sound


class Frames:
    """Iterates over the frames (H, W, 3), BGR, of a video or a camera.

    Attributes:
        rate (float): Frames per second.
        ended_early (str, optional): Set after the iteration if the file is damaged: reports the missing frames.

    Raises:
        ValueError: If the source cannot be opened.
    """

    def __init__(self, source: Source, limit: int | None = None) -> None:
        camera = source.kind == 'camera'
        self.capture = cv2.VideoCapture(int(source.name.removeprefix(CAMERA)) if camera else source.name)
        if not self.capture.isOpened():
            advice = 'connected, not in use, and readable (group video)' if camera else 'a video, and complete'
            raise ValueError(f'{source.name} cannot be opened: check that it is {advice}')
        self.name, self.limit = source.name, limit
        with Path(os.devnull if camera else source.name).open('rb') as file:
            start = file.read(8)
        self.counts_frames = start[4:] in _MP4
        self.slack = 0.0 if self.counts_frames or start[:4] == b'RIFF' else _SLACK  # RIFF is AVI
        self.rate = self.capture.get(cv2.CAP_PROP_FPS)
        count = self.capture.get(cv2.CAP_PROP_FRAME_COUNT)
        stated = _RATES[0] <= self.rate <= _RATES[1]  # False for NaN
        self.rate = self.rate if stated else RATE
        self.count = int(count) if stated and not camera and math.isfinite(count) and 0 < count < 1e9 else None
        self.ended_early: str | None = None

    def __iter__(self) -> Iterator[np.ndarray]:
        number, seconds = 0, 0.0
        try:
            while self.limit is None or number < self.limit:
                read, frame = self.capture.read()
                if not read:
                    self.ended_early = self._missing(number, seconds)
                    return
                number += 1
                seconds = self.capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3 + 1 / self.rate
                yield frame
        finally:
            self.capture.release()

    def __length_hint__(self) -> int:
        lengths = [length for length in (self.count, self.limit) if length]
        return min(lengths) if lengths else NotImplemented

    def _missing(self, number: int, seconds: float) -> str | None:
        if self.count is None or number >= self.count * (1 - self.slack):
            return None
        # AVI files may omit repeated frames; for other formats OpenCV estimates the count from duration and frame rate.
        if not self.counts_frames and seconds >= (self.count * (1 - self.slack) - 0.5) / self.rate:
            return None
        return (
            f'{self.name} is damaged: {number} of its {self.count} frames could be read, and their results are kept. '
            'Copy the file again'
        )


def fit(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Crop a picture on the right and at the bottom, or pad it with white there, to `size` (width, height)."""
    fitted = np.full((size[1], size[0], 3), 255, np.uint8)
    inside = picture[: size[1], : size[0]]
    fitted[: inside.shape[0], : inside.shape[1]] = inside
    return fitted
