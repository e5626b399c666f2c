"""Prediction with exported files, without torch and OpenMMLab."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...runtime import load
from ...runtime.images import drawable
from ...runtime.pose import describe
from ..common import Progress
from .boxes import Boxes, Detector, files_of
from .running import Prediction, predict_sources
from .sources import read_image
from .tracking import Follower

SUFFIXES = ('.onnx', '.xml')


def is_exported(name: str) -> bool:
    """Return whether the CONFIG of a command is an exported file."""
    return Path(name).suffix.lower() in SUFFIXES


def predict_exported(
    path: str,
    inputs: Sequence[str],
    folder: str,
    device: str | None = None,
    batch: int = 1,
    boxes: str | None = None,
    detector: Detector | None = None,
    threshold: float = 0.3,
    frames: int | None = None,
    progress: Progress | None = None,
    keypoint_threshold: float = 0.3,
    flip_test: bool | None = None,
    whole_image: bool = False,
    smooth: bool = True,
) -> Prediction:
    """Predict with an exported file. See :func:`.predicting.predict` for the other arguments.

    Args:
        path (str): The exported file.
        flip_test (bool, optional): For poses, average the heatmaps with those of the mirror image. Default: the
            config's value.

    Raises:
        ImportError: If no engine that runs the file is installed.
        FileNotFoundError, ValueError: See :func:`...runtime.load` and :func:`.predicting.predict`.
    """

    def build() -> ExportedPredictor:
        model: Any = load(path, device=device or 'cpu')
        pose = model.metadata['task'] == 'pose'
        if not pose and (boxes or detector or whole_image or flip_test is not None):
            raise ValueError(
                f'boxes, detectors, --whole-image and the flip test are for poses, but {path} is for '
                f'{model.metadata["task"]}'
            )
        if flip_test is not None:
            model.flip_test = flip_test
        if not pose:
            return ExportedPredictor(model, None, batch, keypoint_threshold)
        detects_on = device if device and device.startswith('cuda') else 'cpu'  # engines have further devices
        finder = Boxes(boxes, detector, threshold, detects_on, whole_image)
        return ExportedPredictor(model, finder, batch, keypoint_threshold, smooth)

    return predict_sources(build, inputs, folder, [path, *files_of(boxes, detector)], batch, frames, progress)


class _Reader:
    """Loads pictures as the loading step of the test pipeline does."""

    def __init__(self, color_type: str) -> None:
        self.color_type = color_type

    def __call__(self, path: str) -> dict[str, Any]:
        return self.frame(path, read_image(path, self.color_type))

    def frame(self, name: str, image: np.ndarray) -> dict[str, Any]:
        return dict(img=image, img_path=name)


class ExportedPredictor:
    """An exported model of any task, with the interface of :class:`.running.Predictor`.

    Args:
        model (Model): The model.
        boxes (Boxes, optional): For poses, finds the boxes in each picture.
        batch (int): For poses, the number of boxes per batch.
        threshold (float): Minimum score of the keypoints that are drawn.
        smooth (bool): For poses in videos, smooth boxes and keypoints. Default: True.
    """

    def __init__(self, model: Any, boxes: Boxes | None, batch: int, threshold: float, smooth: bool = True) -> None:
        self.model, self.boxes, self.batch, self.threshold = model, boxes, batch, threshold
        self.follow = Follower(smooth)
        self.load = _Reader(model.metadata['load']['color_type'])

    def __call__(self, loaded: Sequence[dict[str, Any]]) -> list[tuple[dict[str, Any], np.ndarray]]:
        images = [one['img'] for one in loaded]
        if self.boxes is None:
            results = self.model(images)
            return [(result, self.model.draw(image, result)) for image, result in zip(images, results)]
        boxes = self.boxes([one['img_path'] for one in loaded], [drawable(image) for image in images])
        results = self.model(images, boxes, batch=self.batch)
        for one, of_picture, result in zip(loaded, boxes, results):
            tracks, of_picture, result.array[..., :2] = self.follow(one, of_picture, result.array[..., :2])
            result['people'] = describe(of_picture, result.array, self.model.metadata['keypoints'], tracks)
        return [(result, self.model.draw(image, result, self.threshold)) for image, result in zip(images, results)]
