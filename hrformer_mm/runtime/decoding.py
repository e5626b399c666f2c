"""Decode heatmaps to keypoints as mmpose's codecs MSRAHeatmap (with and without DARK) and UDPHeatmap do."""

from typing import Any

import cv2
import numpy as np


def decode(heatmaps: np.ndarray, codec: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Decode heatmaps to keypoints.

    Args:
        heatmaps (np.ndarray): (K, H, W), or (3 K, H, W) with offsets.
        codec (dict): The `type` of mmpose's codec and its arguments.

    Returns:
        tuple[np.ndarray, np.ndarray]: Points (K, 2), x and y in pixels of the network's input, and scores (K,).
    """
    size, grid = np.array(codec['input_size']), np.array(codec['heatmap_size'])
    if codec['type'] == 'MSRAHeatmap':
        points, scores = _peaks(heatmaps)
        if codec['unbiased']:
            points = _refine_dark(points, heatmaps, codec['blur_kernel_size'])
        else:
            points = _refine_by_quarter(points, heatmaps)
        return points * (size / grid).astype(np.float32), scores
    if codec['heatmap_type'] == 'combined':
        points, scores = _decode_offsets(heatmaps, codec['radius_factor'], codec['blur_kernel_size'])
    else:
        points, scores = _peaks(heatmaps)
        points = _refine_udp(points, heatmaps, codec['blur_kernel_size'])
    return points / (grid - 1) * size, scores


def _peaks(heatmaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the maximum of each map: its position (K, 2), x and y, or (-1, -1) if no value is above 0; and its value."""
    flat = heatmaps.reshape(len(heatmaps), -1)
    y, x = np.unravel_index(flat.argmax(1), heatmaps.shape[1:])
    scores = flat.max(1)
    points = np.stack([x, y], 1).astype(np.float32)
    points[scores <= 0] = -1
    return points, scores


def _refine_by_quarter(points: np.ndarray, heatmaps: np.ndarray) -> np.ndarray:
    """Shift each point by a quarter of a pixel towards the higher neighbor along each axis."""
    rows, columns = heatmaps.shape[1:]
    refined = points.copy()
    for k, (x, y) in enumerate(points.astype(int)):
        if 1 < x < columns - 1 and y > 0:
            refined[k, 0] += 0.25 * np.sign(heatmaps[k, y, x + 1] - heatmaps[k, y, x - 1])
        if 1 < y < rows - 1 and x > 0:
            refined[k, 1] += 0.25 * np.sign(heatmaps[k, y + 1, x] - heatmaps[k, y - 1, x])
    return refined


def _blur(heatmaps: np.ndarray, kernel: int) -> np.ndarray:
    """Blur each map, padded with zeros, and rescale it to its former maximum."""
    border = (kernel - 1) // 2
    blurred = []
    for heatmap in heatmaps:
        padded = cv2.GaussianBlur(np.pad(heatmap, border), (kernel, kernel), 0)
        inner = padded[border:-border, border:-border] if border else padded
        blurred.append(inner * (heatmap.max() / inner.max()))
    return np.stack(blurred)


def _refine_dark(points: np.ndarray, heatmaps: np.ndarray, kernel: int) -> np.ndarray:
    """Take one Newton step on the logarithm of the map, with differences of one and two pixels (arXiv:1910.06278)."""
    rows, columns = heatmaps.shape[1:]
    maps = np.log(np.maximum(_blur(heatmaps, kernel), 1e-10))
    refined = points.copy()
    for k, (x, y) in enumerate(points.astype(int)):
        if not (1 < x < columns - 2 and 1 < y < rows - 2):
            continue
        m = maps[k, y - 2 : y + 3, x - 2 : x + 3]
        gradient = 0.5 * np.array([m[2, 3] - m[2, 1], m[3, 2] - m[1, 2]])
        xx, yy = 0.25 * (m[2, 4] - 2 * m[2, 2] + m[2, 0]), 0.25 * (m[4, 2] - 2 * m[2, 2] + m[0, 2])
        xy = 0.25 * (m[3, 3] - m[1, 3] - m[3, 1] + m[1, 1])
        if xx * yy - xy**2 != 0:
            refined[k] -= np.linalg.solve([[xx, xy], [xy, yy]], gradient)
    return refined


def _refine_udp(points: np.ndarray, heatmaps: np.ndarray, kernel: int) -> np.ndarray:
    """Take one Newton step on the logarithm of the map, with differences of one pixel (arXiv:1911.07524)."""
    count, rows, columns = heatmaps.shape
    maps = np.log(np.clip(_blur(heatmaps, kernel), 1e-3, 50.0))
    flat = np.pad(maps, ((0, 0), (1, 1), (1, 1)), mode='edge').ravel()
    step = columns + 2
    index = (points[:, 0] + 1 + (points[:, 1] + 1) * step + step * (rows + 2) * np.arange(count)).astype(int)

    def at(dx: int, dy: int) -> np.ndarray:
        return flat[index + dx + dy * step]  # reads the same neighbors as mmpose for a point at (-1, -1)

    gradient = 0.5 * np.stack([at(1, 0) - at(-1, 0), at(0, 1) - at(0, -1)], 1)
    xx, yy = at(1, 0) - 2 * at(0, 0) + at(-1, 0), at(0, 1) - 2 * at(0, 0) + at(0, -1)
    xy = 0.5 * (at(1, 1) - at(1, 0) - at(0, 1) + 2 * at(0, 0) - at(-1, 0) - at(0, -1) + at(-1, -1))
    hessian = np.stack([xx, xy, xy, yy], 1).reshape(-1, 2, 2) + np.finfo(np.float32).eps * np.eye(2)
    return points - np.linalg.solve(hessian, gradient[..., None])[..., 0]


def _decode_offsets(heatmaps: np.ndarray, radius_factor: float, kernel: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the maximum of every third map, and add the offsets in the two maps after it, in units of the radius."""
    side = 2 * kernel + 1
    points, scores = _peaks(np.stack([cv2.GaussianBlur(heatmap, (side, side), 0) for heatmap in heatmaps[::3]]))
    rows, columns = heatmaps.shape[1:]
    index = (points[:, 0] + points[:, 1] * columns).astype(int) + rows * columns * np.arange(len(points))
    offsets = np.stack([heatmaps[axis::3].ravel()[index] for axis in (1, 2)], 1)
    return points + offsets * (radius_factor * max(rows, columns)), scores
