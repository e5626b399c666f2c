"""Tracking by overlap, and the 1€ filter against its definition."""

import math

import numpy as np
import pytest

from hrformer_mm.commands.predict import tracking
from hrformer_mm.commands.predict.tracking import OneEuroFilter, Tracker

RATE = 25


def euro(values, size):
    """The published algorithm for one point (x, y), in plain numbers."""

    def alpha(cutoff):
        return 1 / (1 + (1 / (2 * math.pi * cutoff)) / (1 / RATE))

    last, smooth, speed, result = values[0], values[0], (0.0, 0.0), [values[0]]
    for value in values[1:]:
        speed = tuple(alpha(1.0) * (v - w) * RATE + (1 - alpha(1.0)) * s for v, w, s in zip(value, last, speed))
        cutoff = 1.5 + 5.0 * math.hypot(*speed) / size
        smooth = tuple(alpha(cutoff) * v + (1 - alpha(cutoff)) * s for v, s in zip(value, smooth))
        last = value
        result.append(smooth)
    return result


def test_filter_is_the_published_one():
    values = np.random.default_rng(0).normal(0, 20, (30, 2, 2)).cumsum(0)
    smooth = OneEuroFilter(0, values[0])
    found = [values[0], *(smooth(i / RATE, points, 80.0) for i, points in enumerate(values) if i)]
    for k in range(2):
        np.testing.assert_allclose(np.array(found)[:, k], euro(values[:, k].tolist(), 80.0), atol=1e-9)


def test_jitter_and_lag():
    noise = np.random.default_rng(0).normal(0, 1, (200, 1, 2))
    smooth = OneEuroFilter(0, noise[0])
    still = np.array([smooth(i / RATE, points, 200.0) for i, points in enumerate(noise) if i])
    assert still[20:].std() < 0.45
    for speed in (20.0, 200.0, 2000.0):  # pixels per second
        path = np.arange(100)[:, None, None] / RATE * np.array([speed, 0])
        smooth = OneEuroFilter(0, path[0])
        last = [smooth(i / RATE, points, 200.0) for i, points in enumerate(path) if i][-1]
        assert 0 < path[-1, 0, 0] - last[0, 0] < 200 / (2 * math.pi * tracking.SLOPE)


def follow(tracker, time, *boxes):
    boxes = np.array(boxes, np.float32).reshape(-1, 5)
    return tracker(time, boxes, np.zeros((len(boxes), 3, 2), np.float32))[0]


def test_track_numbers():
    a, b, c = [0, 0, 40, 80, 0.9], [30, 0, 70, 80, 0.8], [200, 0, 240, 80, 0.9]
    tracker = Tracker()
    assert follow(tracker, 0.0, a, b) == [1, 2]
    assert follow(tracker, 0.1, b, a) == [2, 1]  # in another order
    assert follow(tracker, 0.2, c, [18, 0, 58, 80, 0.9], b) == [3, 1, 2]  # overlaps 1 and 2, but b is 2
    assert follow(tracker, 0.3) == []
    assert follow(tracker, 0.9, c) == [3]  # found again
    assert follow(tracker, 1.3, a, b) == [4, 5]  # lost for too long
    assert follow(tracker, 1.4, [0, 0, 40, 9, 0.9]) == [6]  # overlaps too little


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_inputs_are_not_modified(dtype):
    tracker, boxes, points = Tracker(), np.array([[0, 0, 40, 80, 0.5]], dtype), np.ones((1, 3, 2), dtype)
    tracker(0.0, boxes, points)
    numbers, smooth_boxes, smooth = tracker(0.1, boxes + [[4, 4, 4, 4, 0]], points + 4)
    assert numbers == [1] and (points == 1).all() and (boxes == [[0, 0, 40, 80, 0.5]]).all()
    assert smooth_boxes[0, 4] == 0.5 and (0 < smooth_boxes[0, :2]).all() and (smooth_boxes[0, :2] < 4).all()
    assert (smooth > 1).all() and (smooth < 5).all()
