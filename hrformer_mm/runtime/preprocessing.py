"""Preprocessing: the steps of a test pipeline, as mmcv and mmpretrain perform them, and normalization."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from . import pillow
from .images import channels_last

_OPENCV = dict(
    nearest=cv2.INTER_NEAREST,
    bilinear=cv2.INTER_LINEAR,
    bicubic=cv2.INTER_CUBIC,
    area=cv2.INTER_AREA,
    lanczos=cv2.INTER_LANCZOS4,
)


def resize(
    image: np.ndarray,
    scale: Sequence[int] | None,
    scale_factor: Any,
    keep_ratio: bool,
    interpolation: str,
    backend: str,
) -> np.ndarray:
    """Resize as mmcv's Resize does. `scale` is (width, height), or their upper bounds if `keep_ratio` is set."""
    height, width = image.shape[:2]
    if scale is None:
        factors = (scale_factor, scale_factor) if isinstance(scale_factor, (int, float)) else scale_factor
        scale = [int(width * factors[0] + 0.5), int(height * factors[1] + 0.5)]
    if keep_ratio:
        factor = min(max(scale) / max(height, width), min(scale) / min(height, width))
        scale = [int(width * factor + 0.5), int(height * factor + 0.5)]
    return _resize(image, scale, interpolation, backend)


def resize_edge(image: np.ndarray, scale: int, edge: str, interpolation: str, backend: str) -> np.ndarray:
    """Resize one edge to `scale` pixels and keep the aspect ratio, as mmpretrain's ResizeEdge does."""
    height, width = image.shape[:2]
    if edge == 'width' or edge == 'short' and width < height or edge == 'long' and width > height:
        size = scale, int(scale * height / width)
    else:
        size = int(scale * width / height), scale
    return _resize(image, size, interpolation, backend)


def _resize(image: np.ndarray, size: Sequence[int], interpolation: str, backend: str) -> np.ndarray:
    if backend == 'pillow':
        return pillow.resize(image, size, interpolation)
    return channels_last(cv2.resize(image, tuple(size), interpolation=_OPENCV[interpolation]))


def pad(
    image: np.ndarray,
    size: Sequence[int] | None = None,
    size_divisor: int | None = None,
    pad_to_square: bool = False,
    pad_val: Any = 0,
    padding_mode: Any = 'constant',
) -> np.ndarray:
    """Pad on the right and at the bottom as mmcv's Pad does. `size` is (width, height)."""
    height, width = image.shape[:2]
    if pad_to_square:
        height = width = max(height, width)
    if size_divisor:
        height, width = (math.ceil(side / size_divisor) * size_divisor for side in (height, width))
    elif size:
        width, height = size
    after = [(0, max(0, height - image.shape[0])), (0, max(0, width - image.shape[1])), (0, 0)]
    if padding_mode != 'constant':
        return np.pad(image, after, mode=padding_mode)
    padded = np.empty([side + extra for side, (_, extra) in zip(image.shape, after)], image.dtype)
    padded[...] = pad_val
    padded[: image.shape[0], : image.shape[1]] = image
    return padded


def center_crop(image: np.ndarray, crop_size: Sequence[int], auto_pad: bool, padding: dict[str, Any]) -> np.ndarray:
    """Crop the center as mmcv's CenterCrop does. `crop_size` is (width, height)."""
    if auto_pad:
        image = pad(image, [max(crop_size[0], image.shape[1]), max(crop_size[1], image.shape[0])], **padding)
    height, width = min(crop_size[1], image.shape[0]), min(crop_size[0], image.shape[1])
    top, left = round((image.shape[0] - height) / 2), round((image.shape[1] - width) / 2)
    return image[top : top + height, left : left + width]


STEPS: dict[str, Callable[..., np.ndarray]] = dict(
    Resize=resize, ResizeEdge=resize_edge, CenterCrop=center_crop, Pad=pad
)


def run_steps(image: np.ndarray, steps: Sequence[dict[str, Any]]) -> np.ndarray:
    """Apply steps to an image (H, W, C). Each step has the `type`, a key of `STEPS`, and the arguments."""
    for step in steps:
        image = STEPS[step['type']](image, **{key: value for key, value in step.items() if key != 'type'})
    return image


def normalize(image: np.ndarray, metadata: dict[str, Any]) -> np.ndarray:
    """Normalize and pad an image (H, W, C), BGR, as the data preprocessor does; returns (1, C, H, W), float32."""
    if metadata['rgb'] and image.shape[2] == 3:
        image = image[..., ::-1]
    image = (image.astype(np.float32) - np.float32(metadata['mean'])) / np.float32(metadata['std'])
    return np.ascontiguousarray(pad(image, **metadata['pad']).transpose(2, 0, 1)[None])
