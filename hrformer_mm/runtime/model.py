"""Base classes of the models and results of all tasks."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from .engines import Engine
from .images import convert_channels
from .preprocessing import normalize, run_steps
from .resampling import resize_maps

STRIDE = 32  # files with dynamic sizes take multiples of it


class Result(dict):
    """The result for one image: a dict with the same keys as in `predictions.json` of `hrformer-mm predict`.

    Attributes:
        array (np.ndarray): The label map (H, W), the scores (classes,), or the keypoints (people, K, 3): x, y and
            score.
    """

    def __init__(self, data: dict[str, Any], array: np.ndarray) -> None:
        super().__init__(data)
        self.array = array


class Model:
    """An exported model. Call it with an image, or with a list of images for a list of results.

    An image is an array (H, W), (H, W, 3) or (H, W, 4), uint8, with its channels in OpenCV's order, BGR.

    Attributes:
        metadata (dict): The metadata of the file.
    """

    def __init__(self, engine: Engine, metadata: dict[str, Any]) -> None:
        self.engine, self.metadata = engine, metadata

    def __call__(self, images: Any) -> Any:
        several = isinstance(images, (list, tuple))
        results = self.predict(images if several else [images])
        return results if several else results[0]

    def predict(self, images: Sequence[np.ndarray]) -> list[Result]:
        raise NotImplementedError

    def draw(self, image: np.ndarray, result: Result) -> np.ndarray:
        """Draw a result on its image; returns (H, W, 3), BGR, uint8."""
        raise NotImplementedError

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Apply the steps of the test pipeline to an image; returns (H, W, C)."""
        image = convert_channels(image, self.metadata['channels'])
        if self.metadata['load']['to_float32']:
            image = image.astype(np.float32)
        return run_steps(image, self.metadata['steps'])

    def sizes(self, image: np.ndarray, prepared: np.ndarray) -> dict[str, list[int]]:
        """Return the width and height of an image before and after the steps of the test pipeline."""
        return dict(size=list(image.shape[1::-1]), input_size=list(prepared.shape[1::-1]))

    def run(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run the network on prepared images (H, W, C), batched by size; returns one output for each."""
        inputs = [normalize(image, self.metadata) for image in images]
        return self.run_inputs(inputs)

    def run_inputs(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run the network on normalized images (1, C, H, W), batched by size; returns one output for each."""
        inputs = [self._fit(x) for x in inputs]
        outputs: dict[int, np.ndarray] = {}
        for shape in dict.fromkeys(x.shape for x in inputs):
            group = [i for i, x in enumerate(inputs) if x.shape == shape]
            outputs.update(zip(group, self.engine(np.concatenate([inputs[i] for i in group]))))
        return [outputs[i] for i in range(len(inputs))]

    def _fit(self, x: np.ndarray) -> np.ndarray:
        """Resize an input (1, C, H, W) whose size the file does not take, with a warning."""
        size = tuple(x.shape[2:])
        if None in self.engine.shape[2:]:
            fitting = tuple(max(2, round(side / STRIDE)) * STRIDE for side in size)
        else:
            fitting = tuple(self.engine.shape[2:])
        if fitting == size:
            return x
        warnings.warn(
            f'an image is {size[0]}x{size[1]} after the test pipeline, and is resized to {fitting[0]}x{fitting[1]}, '
            'which the file takes: results differ from those of the checkpoint. '
            f'Export with --size {size[0]} {size[1]}',
            stacklevel=2,
        )
        return resize_maps(x[0], fitting, align_corners=False)[None]
