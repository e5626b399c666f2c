"""Targets of SegFix from labels, offsets from predictions, and refined labels from offsets."""

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

# Rows and columns of a step, clockwise from the left, in the order of the authors' weights.
DIRECTIONS = ((0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1))
WIDTH = 5  # largest distance from a boundary, rounded down as by the authors, at which a pixel is near it
FEW = 100  # number of pixels below which a class has no boundary


def boundary_targets(labels: np.ndarray, ignore_index: int = 255) -> np.ndarray:
    """Compute the targets of SegFix: for each pixel, the direction away from the nearest boundary of its class.

    The direction is that of the gradient of the distance to the nearest pixel of another class, computed with a 5x5
    Sobel filter (section 3.2).

    Args:
        labels (np.ndarray): Integer labels of shape (H, W).
        ignore_index (int): Label of ignored pixels. Default: 255.

    Returns:
        np.ndarray: uint8 targets of shape (H, W): the index of a direction, plus 8 if the nearest pixel of another
        class is less than 6 pixels away. Ignored pixels keep `ignore_index`.
    """
    distance, gradient = np.zeros(labels.shape, np.float32), np.zeros((2, *labels.shape), np.float32)
    for label in np.unique(labels):
        inside = labels == label
        if label == ignore_index or inside.sum() < FEW:
            continue
        if inside.all():  # without a boundary, the result of scipy is undefined
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
    squares[size // 2, size // 2] = 1  # avoids 0 / 0
    return steps[axis] / squares


def predicted_offsets(logits: Tensor) -> Tensor:
    """Compute the offsets that logits of SegFix predict.

    Args:
        logits (Tensor): Logits of shape (N, 2 + 8, H, W): far from a boundary, near a boundary, and the directions.

    Returns:
        Tensor: int8 offsets in rows and columns, in pixels, of shape (N, 2, H, W). They are 0 far from a boundary.
    """
    near = logits[:, 1] > logits[:, 0]
    steps = torch.tensor(DIRECTIONS, dtype=torch.int8, device=logits.device)[logits[:, 2:].argmax(1)]
    return (steps * near[..., None]).permute(0, 3, 1, 2)


def refine_labels(labels: Tensor, offsets: Tensor, scale: int = 2) -> Tensor:
    """Replace each label by the label at its offset. Offsets beyond the image refer to the nearest pixel within it.

    Args:
        labels (Tensor): Labels of shape (H, W).
        offsets (Tensor): Integer offsets in rows and columns, of shape (2, H, W).
        scale (int): Factor that multiplies the offsets. Default: 2, the authors' value for Cityscapes.

    Returns:
        Tensor: Labels of shape (H, W).

    Raises:
        ValueError: If the sizes of labels and offsets differ.
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
