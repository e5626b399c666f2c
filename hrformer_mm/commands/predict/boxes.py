"""The boxes of people in pictures, for top-down poses."""

import json
from pathlib import Path
from typing import Any, Optional

import numpy as np


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


class Boxes:
    """The boxes (N, 5) of a picture: from a file, from an mmdet detector, or one around the whole picture.

    Args:
        path (str, optional): A JSON file, see :func:`read_boxes`.
        detector (Sequence[str], optional): An mmdet config and its weights; persons are its category 0.
        threshold (float): Least score of a detection.
        device (str, optional): The detector's.
    """

    def __init__(self, path: Optional[str], detector: Optional[tuple[str, str]], threshold: float,
                 device: Optional[str]) -> None:
        self.boxes = read_boxes(path) if path else None
        self.threshold = threshold
        self.detector: Any = None
        if detector:
            for file in detector:
                if not Path(file).is_file():
                    raise FileNotFoundError(f"there is no file {file}: --detector takes an mmdet config and weights")
            from mmdet.apis import DetInferencer
            self.detector = DetInferencer(*detector, device=device, show_progress=False)

    def __call__(self, name: str, image: np.ndarray) -> np.ndarray:
        if self.boxes is not None:
            if Path(name).name not in self.boxes:
                raise ValueError(f'{name} has no boxes in the file: add "{Path(name).name}": [[x0, y0, x1, y1], …]')
            return self.boxes[Path(name).name]
        if self.detector is not None:
            from mmengine.registry import DefaultScope
            from mmpose.evaluation.functional import nms
            with DefaultScope.overwrite_default_scope('mmdet'):
                found = self.detector(image, return_datasamples=True)['predictions'][0].pred_instances.cpu().numpy()
            keep = (found.labels == 0) & (found.scores > self.threshold)
            boxes = np.concatenate([found.bboxes, found.scores[:, None]], axis=1)[keep]
            return boxes[nms(boxes, 0.3)]
        height, width = image.shape[:2]
        return np.array([[0, 0, width, height, 1]], np.float32)
