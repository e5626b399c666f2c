"""The test pipeline of a config: its loading step, the other steps, and differences from the validation pipeline."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import TRANSFORMS, DefaultScope

from ...checks.settings import type_name
from ..model import find_dataset, find_pipeline
from .sources import read_image, unreadable

Step = Mapping[str, Any]


def split_pipeline(steps: Sequence[Step]) -> tuple[dict[str, Any], list[Step]]:
    """Split a pipeline into the step that loads images ({} if absent) and the others, without those for annotations."""
    steps = [step for step in steps if 'Annotation' not in type_name(step)]
    loads = [step for step in steps if type_name(step).startswith('Load')]
    return dict(loads[0]) if loads else {}, [step for step in steps if step not in loads[:1]]


class Loader:
    """Loads pictures with the loading step of the test pipeline: in color, in gray, or with all channels of the file.

    Args:
        cfg (Config): The config. Pictures are loaded in color if it has no test pipeline or no loading step.
    """

    def __init__(self, cfg: Config) -> None:
        step, _ = split_pipeline(find_dataset(cfg, 'test').get('pipeline') or ())
        self.grey = str(step.get('color_type', '')).startswith('grayscale')
        self.dtype = np.float32 if step.get('to_float32') else np.uint8
        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            self.step = TRANSFORMS.build(step) if step else None

    def __call__(self, path: str) -> dict[str, Any]:
        """Load a file: `img`, (H, W) or (H, W, C), with its `img_path` and shapes.

        Raises:
            ValueError: If the file cannot be read.
        """
        if self.step is None:
            return self.frame(path, read_image(path))
        if problem := unreadable(path, full=False):
            raise ValueError(problem)
        try:
            return dict(self.step(dict(img_path=path)))
        except Exception as error:  # a library's transform may raise anything
            raise ValueError(unreadable(path) or f'{path} cannot be loaded: {error}') from error

    def frame(self, name: str, image: np.ndarray) -> dict[str, Any]:
        """Prepare a picture in memory, (H, W, 3), BGR, uint8, in the same way."""
        image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if self.grey else image
        return dict(img=image.astype(self.dtype), img_path=name, img_shape=image.shape[:2], ori_shape=image.shape[:2])


class Pipeline:
    """The steps after loading, which convert the output of :class:`Loader` to the input of a model's `test_step`.

    Raises:
        ValueError: If the config has no test pipeline.
    """

    def __init__(self, cfg: Config) -> None:
        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            self.run = Compose(split_pipeline(find_pipeline(cfg))[1])

    def __call__(self, loaded: Mapping[str, Any]) -> dict[str, Any]:
        return self.run(dict(loaded))


def check_channels(loaded: Mapping[str, Any], cfg: Config) -> None:
    """Raise a ValueError unless a picture was loaded with the number of channels that the backbone takes."""
    expected = cfg.model.get('backbone', {}).get('in_channels', 3)
    channels = loaded['img'].shape[2] if loaded['img'].ndim == 3 else 1
    if channels != expected:
        raise ValueError(
            f'{loaded["img_path"]} is loaded with {channels} channel{"s" * (channels > 1)}, but '
            f'model.backbone.in_channels is {expected}: change color_type of the step of '
            'test_dataloader.dataset.pipeline that loads images, or the picture'
        )


def pipeline_differences(cfg: Config) -> list[str]:
    """Compare the test pipeline, which predictions use, with the validation pipeline; returns a line for each step."""
    val, test = (
        [step for step in find_dataset(cfg, split).get('pipeline') or () if _prepares(step)]
        for split in ('val', 'test')
    )
    if not val or not test:
        return []
    return [
        f'{_text(theirs, ours)} in val_dataloader, but {_text(ours, theirs)} in test_dataloader'
        for theirs, ours in zip_longest(val, test)
        if _plain(theirs) != _plain(ours)
    ]


def _prepares(step: Step) -> bool:
    name = type_name(step)
    return not ('Annotation' in name or name.startswith('Pack'))


def _plain(value: Any) -> Any:
    """Replace tuples by lists and class names by short names, which are equivalent to transforms."""
    if isinstance(value, Mapping):
        return {key: type_name(value) if key == 'type' else _plain(entry) for key, entry in value.items()}
    return list(map(_plain, value)) if isinstance(value, (list, tuple)) else value


def _text(step: Any, other: Any) -> str:
    if step is None:
        return 'no such step'
    same_type = other is not None and type_name(step) == type_name(other)
    shown = [
        f'{key}={value!r}'
        for key, value in step.items()
        if key != 'type' and not (same_type and key in other and _plain(other[key]) == _plain(value))
    ]
    return f'{type_name(step)}({", ".join(shown)})'
