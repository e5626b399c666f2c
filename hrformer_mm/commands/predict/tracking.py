"""Track people in the frames of a video, and smooth their motion."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

OVERLAP = 0.3  # minimum IoU of the boxes of a person in two frames
LOST = 1.0  # seconds after which a lost person gets a new number
# Parameters of the filter, for speeds in box sizes per second. A lower CUTOFF reduces jitter at rest, a higher SLOPE
# reduces lag, which stays below 1 / (2 pi SLOPE) of the size at a constant speed.
CUTOFF, SLOPE, SPEED_CUTOFF = 1.5, 5.0, 1.0  # Hz, Hz per speed, Hz


class OneEuroFilter:
    """A low-pass filter of points (K, 2) whose cutoff frequency rises with the speed of each point.

    From Casiez, Roussel and Vogel, "1€ Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive
    Systems", CHI 2012.

    Args:
        time (float): Time of the first points in seconds.
        points (np.ndarray): The first points (K, 2).
    """

    def __init__(self, time: float, points: np.ndarray) -> None:
        self.time, self.last, self.smooth = time, points, points
        self.speed = np.zeros_like(points)

    def __call__(self, time: float, points: np.ndarray, size: float) -> np.ndarray:
        """Filter the points of a later frame. `size` is the size of the person in pixels."""
        step = time - self.time
        self.speed = self.speed + _share(SPEED_CUTOFF, step) * ((points - self.last) / step - self.speed)
        cutoff = CUTOFF + SLOPE * np.linalg.norm(self.speed, axis=1, keepdims=True) / size
        self.smooth = self.smooth + _share(cutoff, step) * (points - self.smooth)
        self.time, self.last = time, points
        return self.smooth


def _share(cutoff: Any, step: float) -> Any:
    """Return the weight of a new value in an exponential filter."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff * step))


class _Track:
    def __init__(self, number: int, time: float, box: np.ndarray, points: np.ndarray) -> None:
        self.number, self.time, self.box = number, time, box
        self.filter = OneEuroFilter(time, points)


class Tracker:
    """Tracks people by the overlap of their boxes, and smooths their boxes and keypoints."""

    def __init__(self) -> None:
        self.tracks: list[_Track] = []
        self.count = 0

    def __call__(
        self, time: float, boxes: np.ndarray, keypoints: np.ndarray
    ) -> tuple[list[int], np.ndarray, np.ndarray]:
        """Match the people of the next frame to the tracks.

        Args:
            time (float): Time in seconds, later than that of the frame before.
            boxes (np.ndarray): (people, 4 or more), x0, y0, x1, y1 in pixels.
            keypoints (np.ndarray): (people, K, 2), in pixels.

        Returns:
            tuple: The track numbers of the people, from 1, and their smoothed boxes and keypoints.
        """
        self.tracks = [track for track in self.tracks if time - track.time <= LOST]
        matches = self._match(boxes)
        numbers, boxes, keypoints = [], boxes.copy(), keypoints.copy()
        for i, (box, points) in enumerate(zip(boxes[:, :4].copy(), keypoints)):
            corners = np.concatenate([box.reshape(2, 2), points])
            if i in matches:
                track = matches[i]
                smooth = track.filter(time, corners, max(1.0, math.sqrt(np.prod(box[2:] - box[:2]))))
                boxes[i, :4], keypoints[i] = smooth[:2].ravel(), smooth[2:]
                track.time, track.box = time, box
            else:
                self.count += 1
                track = _Track(self.count, time, box, corners)
                self.tracks.append(track)
            numbers.append(track.number)
        return numbers, boxes, keypoints

    def _match(self, boxes: np.ndarray) -> dict[int, _Track]:
        """Match boxes to tracks, in the order of their overlap; boxes without a track are left out."""
        overlaps = _overlaps(boxes, np.array([track.box for track in self.tracks]).reshape(-1, 4))
        matches = {}
        while overlaps.size and overlaps.max() >= OVERLAP:
            i, j = np.unravel_index(overlaps.argmax(), overlaps.shape)
            matches[int(i)] = self.tracks[j]
            overlaps[i], overlaps[:, j] = -1, -1
        return matches


def _overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the IoU (N, M) of boxes (N, 4) with boxes (M, 4)."""
    a, b = a[:, None, :4], b[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    common = sides.clip(0).prod(-1)
    areas = [(boxes[..., 2:] - boxes[..., :2]).prod(-1) for boxes in (a, b)]
    return common / np.maximum(areas[0] + areas[1] - common, 1e-9)


class Follower:
    """Keeps a tracker for each video.

    Args:
        smooth (bool): Smooth boxes and keypoints as well.
    """

    def __init__(self, smooth: bool) -> None:
        self.smooth = smooth
        self.trackers: dict[str, Tracker] = {}

    def __call__(
        self, loaded: Mapping[str, Any], boxes: np.ndarray, keypoints: np.ndarray
    ) -> tuple[list[int] | None, np.ndarray, np.ndarray]:
        """Track people in a frame, which has a `time`; the numbers for a picture are None."""
        if 'time' not in loaded:
            return None, boxes, keypoints
        tracker = self.trackers.setdefault(loaded['img_path'], Tracker())
        numbers, *smooth = tracker(loaded['time'], boxes, keypoints)
        return numbers, *(smooth if self.smooth else (boxes, keypoints))
