"""The boxes of people in pictures, for top-down poses."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

Detector = str | tuple[str, str]
DETECTOR = 'fasterrcnn_mobilenet_v3_large_320_fpn'
WITHOUT = 'Without a detector: --boxes FILE gives the boxes of people, --whole-image takes one around each picture'


def read_boxes(path: str) -> dict[str, np.ndarray]:
    """Read boxes from a JSON file: {"picture.jpg": [[x0, y0, x1, y1], …], …}, by the pictures' names without folders.

    Returns:
        dict: For each picture (boxes, 5): x0, y0, x1, y1 and a score of 1.

    Raises:
        FileNotFoundError, ValueError: If there is no such file, or if it is of another form.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'there is no file of boxes {path}')
    wanted = f'{path} must hold {{"picture.jpg": [[x0, y0, x1, y1], …], …}}'
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f'{wanted}, but is no JSON: {error}') from None
    if not isinstance(content, dict):
        raise ValueError(f'{wanted}, but holds a {type(content).__name__}')
    result = {}
    for name, boxes in content.items():
        try:
            array = np.asarray(boxes, np.float32).reshape(-1, 4)
        except (TypeError, ValueError):
            raise ValueError(f'{wanted}, but the boxes of {name} are {boxes!r}') from None
        if not np.isfinite(array).all() or (array[:, 2:] <= array[:, :2]).any():
            raise ValueError(f'{path}: of each box of {name}, x1 must be more than x0, and y1 more than y0')
        result[name] = np.concatenate([array, np.ones((len(array), 1), np.float32)], axis=1)
    return result


def files_of(path: str | None, detector: Detector | None) -> list[str]:
    """The files that the arguments of :class:`Boxes` name."""
    return [*([path] if path else ()), *(detector if isinstance(detector, (list, tuple)) else ())]


class Boxes:
    """The boxes of people in pictures: from a file, one around each whole picture, or from a detector.

    Args:
        path (str, optional): A JSON file, see :func:`read_boxes`.
        detector (str | tuple[str, str], optional): The name of a detector of torchvision, or a config and weights of
            mmdet, persons its class 0. Default: :data:`DETECTOR`.
        threshold (float): Least score of a detection.
        device (str): The detector's.
        whole_image (bool): One box around each whole picture. Default: False.

    Raises:
        FileNotFoundError, ValueError: If more than one source is given, or one that is wrong.
        ImportError, OSError, ValueError: If the detector or its weights are missing, with what works without.
    """

    def __init__(
        self, path: str | None, detector: Detector | None, threshold: float, device: str, whole_image: bool = False
    ) -> None:
        if bool(path) + bool(detector) + whole_image > 1:
            raise ValueError('people are found in one way: give --boxes, --whole-image or a detector, not several')
        self.boxes = read_boxes(path) if path else None
        self.threshold = threshold
        self.detect = None if path or whole_image else _build_detector(detector or DETECTOR, device)

    def __call__(self, names: Sequence[str], images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Find the people in images (H, W, 3), BGR, uint8: (people, 5), x0, y0, x1, y1 and score, of each image."""
        if self.boxes is not None:
            return [self._of_file(Path(name).name, name) for name in names]
        if self.detect is None:
            return [np.array([[0, 0, image.shape[1], image.shape[0], 1]], np.float32) for image in images]
        return [boxes[boxes[:, 4] >= self.threshold] for boxes in self.detect(images)]

    def _of_file(self, key: str, name: str) -> np.ndarray:
        if key not in self.boxes:
            raise ValueError(f'{name} has no boxes in the file: add "{key}": [[x0, y0, x1, y1], …]')
        return self.boxes[key]


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
