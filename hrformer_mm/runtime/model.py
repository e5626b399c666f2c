"""What the models of all tasks share."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from .engines import Engine
from .images import convert_channels
from .preprocessing import normalize, run_steps
from .resampling import resize_maps

STRIDE = 32  # of the sizes that a file for any size takes


class Result(dict):
    """The result of one image: a dict as in `predictions.json` of `hrformer-mm predict`.

    Attributes:
        array (np.ndarray): The label map (H, W), the scores (classes), or the keypoints (people, keypoints, 3), each x,
            y and score.
    """

    def __init__(self, data: dict[str, Any], array: np.ndarray) -> None:
        super().__init__(data)
        self.array = array


class Model:
    """An exported model. Call it with an image, or a list of images for a list of results.

    An image is an array (H, W), (H, W, 3) or (H, W, 4) of uint8, its channels in OpenCV's order.

    Attributes:
        metadata (dict): The file's metadata.
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
        """A result drawn on its image: (H, W, 3), BGR."""
        raise NotImplementedError

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """An image after the steps of the test pipeline, (H, W, C)."""
        image = convert_channels(image, self.metadata['channels'])
        if self.metadata['load']['to_float32']:
            image = image.astype(np.float32)
        return run_steps(image, self.metadata['steps'])

    def sizes(self, image: np.ndarray, prepared: np.ndarray) -> dict[str, list[int]]:
        """Width and height of an image before and after the steps."""
        return dict(size=list(image.shape[1::-1]), input_size=list(prepared.shape[1::-1]))

    def run(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run the file on prepared images (H, W, C), those of one size in a batch, for one output each."""
        inputs = [normalize(image, self.metadata) for image in images]
        return self.run_inputs(inputs)

    def run_inputs(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """:meth:`run` for normalized images (1, C, H, W)."""
        inputs = [self._fit(x) for x in inputs]
        outputs: list[np.ndarray | None] = [None] * len(inputs)
        for shape in dict.fromkeys(x.shape for x in inputs):
            group = [i for i, x in enumerate(inputs) if x.shape == shape]
            for i, output in zip(group, self.engine(np.concatenate([inputs[i] for i in group]))):
                outputs[i] = output
        return outputs

    def _fit(self, x: np.ndarray) -> np.ndarray:
        """Resize an input (1, C, H, W) that is not of a size that the file takes, with a warning."""
        size = tuple(x.shape[2:])
        if None in self.engine.shape[2:]:
            fitting = tuple(max(2, round(side / STRIDE)) * STRIDE for side in size)
        else:
            fitting = tuple(self.engine.shape[2:])
        if fitting == size:
            return x
        warnings.warn(
            f'an image is {size[0]}x{size[1]} after the test pipeline, and is resized to {fitting[0]}x'
            f'{fitting[1]}, which the file takes: results differ from those of the checkpoint. Export with '
            f'--size {size[0]} {size[1]}',
            stacklevel=2,
        )
        return resize_maps(x[0], fitting, align_corners=False)[None]
