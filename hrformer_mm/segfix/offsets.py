"""From labels to what is learnt, from what is predicted to offsets, and from these to better labels."""

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

# Rows and columns of a step, clockwise from the left. The order is that of the authors' weights.
DIRECTIONS = ((0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1))
WIDTH = 5  # whole pixels from a boundary that count as near it: the authors cut distances before they compare
FEW = 100  # pixels of a class, below which it has no inside


def boundary_targets(labels: np.ndarray, ignore_index: int = 255) -> np.ndarray:
    """What SegFix learns of a label map: of each pixel the direction away from the nearest boundary of its class.

    The distance of each pixel to the nearest one of another class grows in that direction: it is the distance's
    gradient, by a Sobel filter of 5x5 (section 3.2).

    Args:
        labels (np.ndarray): (H, W), integers.
        ignore_index (int): The label that is none.

    Returns:
        np.ndarray: (H, W), uint8: a direction, and 8 more less than 6 pixels from the nearest pixel of another class;
        `ignore_index` stays.
    """
    distance, gradient = np.zeros(labels.shape, np.float32), np.zeros((2, *labels.shape), np.float32)
    for label in np.unique(labels):
        inside = labels == label
        if label == ignore_index or inside.sum() < FEW:
            continue
        if inside.all():  # there is no boundary, and scipy would measure from one of its own making
            distance += np.inf
            break
        own = ndimage.distance_transform_edt(inside).astype(np.float32)
        distance += own
        for axis in range(2):
            gradient[axis] += np.where(inside, ndimage.correlate(own, _sobel(axis), mode='nearest'), 0)
    angle = np.degrees(np.arctan2(gradient[0], gradient[1]))
    direction = np.ceil((angle + 180) / 45 - 0.5).astype(np.int64) % len(DIRECTIONS)
    targets = direction + len(DIRECTIONS) * (np.floor(distance) <= WIDTH)
    return np.where(labels == ignore_index, ignore_index, targets).astype(np.uint8)


def _sobel(axis: int, size: int = 5) -> np.ndarray:
    steps = np.mgrid[:size, :size].astype(np.float32) - size // 2
    squares = (steps**2).sum(0)
    squares[size // 2, size // 2] = 1  # nothing over nothing
    return steps[axis] / squares


def predicted_offsets(logits: Tensor) -> Tensor:
    """Steps in pixels, rows and columns, int8, 0 far from a boundary.

    Args:
        logits (Tensor): (N, 2 + 8, H, W): of lying far from or near a boundary, and of the directions.

    Returns:
        Tensor: (N, 2, H, W).
    """
    near = logits[:, 1] > logits[:, 0]
    steps = torch.tensor(DIRECTIONS, dtype=torch.int8, device=logits.device)[logits[:, 2:].argmax(1)]
    return (steps * near[..., None]).permute(0, 3, 1, 2)


def refine_labels(labels: Tensor, offsets: Tensor, scale: int = 2) -> Tensor:
    """Each label replaced by the one that its offset leads to; beyond the image, by the nearest within.

    Args:
        labels (Tensor): (H, W).
        offsets (Tensor): (2, H, W), integers: rows and columns.
        scale (int): Factor of the offsets. The authors take 2 for Cityscapes.

    Raises:
        ValueError: If the sizes differ.
    """
    if offsets.shape != (2, *labels.shape):
        raise ValueError(
            f'the offsets are {tuple(offsets.shape)}, but must be {(2, *labels.shape)} for labels of '
            f'{tuple(labels.shape)}: they belong to another image, or were not resized'
        )
    h, w = labels.shape
    rows, columns = (offsets.to(torch.int64) * scale).unbind(0)
    rows = (rows + torch.arange(h, device=labels.device)[:, None]).clamp_(0, h - 1)
    columns = (columns + torch.arange(w, device=labels.device)).clamp_(0, w - 1)
    return labels[rows, columns]
