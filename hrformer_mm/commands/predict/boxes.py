"""Boxes of people in pictures, for top-down pose estimation."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

Detector = str | tuple[str, str]
DETECTOR = 'fasterrcnn_mobilenet_v3_large_320_fpn'
WITHOUT = 'Without a detector: --boxes FILE reads the boxes of people, --whole-image takes one box around each picture'


def read_boxes(path: str) -> dict[str, np.ndarray]:
    """Read boxes from a JSON file: {"picture.jpg": [[x0, y0, x1, y1], …], …}. Names have no folders.

    Returns:
        dict[str, np.ndarray]: For each picture (boxes, 5): x0, y0, x1, y1 and a score of 1.

    Raises:
        FileNotFoundError, ValueError: If the file does not exist or has another format.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'there is no file of boxes {path}')
    wanted = f'{path} must hold {{"picture.jpg": [[x0, y0, x1, y1], …], …}}'
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f'{wanted}, but is not valid JSON: {error}') from None
    if not isinstance(content, dict):
        raise ValueError(f'{wanted}, but holds a value of type {type(content).__name__}')
    result = {}
    for name, boxes in content.items():
        try:
            array = np.asarray(boxes, np.float32).reshape(-1, 4)
        except (TypeError, ValueError):
            raise ValueError(f'{wanted}, but the boxes of {name} are {boxes!r}') from None
        if not np.isfinite(array).all() or (array[:, 2:] <= array[:, :2]).any():
            raise ValueError(f'{path}: each box of {name} must have x1 > x0 and y1 > y0')
        result[name] = np.concatenate([array, np.ones((len(array), 1), np.float32)], axis=1)
    return result


def files_of(path: str | None, detector: Detector | None) -> list[str]:
    """Return the files among the arguments of :class:`Boxes`."""
    return [*([path] if path else ()), *(detector if isinstance(detector, (list, tuple)) else ())]


class Boxes:
    """Finds people in pictures: reads boxes from a file, takes whole pictures, or runs a detector.

    Args:
        path (str, optional): A JSON file, see :func:`read_boxes`.
        detector (str | tuple[str, str], optional): The name of a torchvision detector, or the config and the weights
            of an mmdet detector whose class 0 is person. Default: :data:`DETECTOR`.
        threshold (float): Minimum score of a detection.
        device (str): Device of the detector.
        whole_image (bool): Take one box around each whole picture. Default: False.

    Raises:
        FileNotFoundError, ValueError: If more than one source of boxes is given, or an invalid one.
        ImportError, OSError, ValueError: If the detector or its weights are missing. The message names alternatives.
    """

    def __init__(
        self, path: str | None, detector: Detector | None, threshold: float, device: str, whole_image: bool = False
    ) -> None:
        if bool(path) + bool(detector) + whole_image > 1:
            raise ValueError(
                'people are found in one way: give one of --boxes, --whole-image and a detector, not several'
            )
        self.boxes = read_boxes(path) if path else None
        self.threshold = threshold
        self.detect = None if path or whole_image else _build_detector(detector or DETECTOR, device)

    def __call__(self, names: Sequence[str], images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Find the people in images (H, W, 3), BGR, uint8; returns (people, 5) for each: x0, y0, x1, y1 and score."""
        if self.boxes is not None:
            return [_find(self.boxes, Path(name).name, name) for name in names]
        if self.detect is None:
            return [np.array([[0, 0, image.shape[1], image.shape[0], 1]], np.float32) for image in images]
        return [boxes[boxes[:, 4] >= self.threshold] for boxes in self.detect(images)]


def _find(boxes: dict[str, np.ndarray], key: str, name: str) -> np.ndarray:
    if key not in boxes:
        raise ValueError(f'{name} has no boxes in the file: add "{key}": [[x0, y0, x1, y1], …]')
    return boxes[key]


def _build_detector(detector: Detector, device: str) -> Callable[[Sequence[np.ndarray]], list[np.ndarray]]:
    if not isinstance(detector, str):
        for file in detector:
            if not Path(file).is_file():
                raise FileNotFoundError(f'there is no file {file}: --mmdet takes a config and weights of mmdet')
    try:
        from .detectors import MMDetDetector, TorchvisionDetector

        if isinstance(detector, str):
            return TorchvisionDetector(detector, device)
        return MMDetDetector(*detector, device)
    except ImportError as error:
        raise ImportError(
            f'a detector requires PyTorch, torchvision and mmengine, or mmdet ({error}). {WITHOUT}'
        ) from error
