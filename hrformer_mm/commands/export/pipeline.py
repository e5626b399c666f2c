"""Describe the test pipeline of a config as plain steps, which :mod:`hrformer_mm.runtime` performs."""

from collections.abc import Sequence
from typing import Any

from mmengine.config import Config
from mmengine.registry import TRANSFORMS, DefaultScope

from ...runtime import pillow
from ...runtime.images import READ
from ...runtime.preprocessing import STEPS
from ..model import find_pipeline

_HOSTS = ('mmcv', 'mmseg', 'mmpose', 'mmpretrain', 'hrformer_mm')
_ARGUMENTS = dict(
    Resize=('scale', 'scale_factor', 'keep_ratio', 'interpolation', 'backend'),
    ResizeEdge=('scale', 'edge', 'interpolation', 'backend'),
    CenterCrop=('crop_size', 'auto_pad'),
    Pad=('size', 'size_divisor', 'pad_to_square', 'padding_mode'),
)
_LOADING = ('LoadImageFromFile', 'LoadImage', 'LoadImageFromNDArray')
_IGNORED = ('LoadAnnotations', 'PackSegInputs', 'PackInputs', 'PackPoseInputs')


def describe_pipeline(cfg: Config) -> tuple[list[dict[str, Any]], dict[str, Any], dict[str, Any]]:
    """Describe the test pipeline.

    Returns:
        tuple: The steps that change the image, see :func:`...runtime.preprocessing.run_steps`; for poses,
        `box_scale`, the factor of a box's size, `size`, the height and width of the crop, and `udp`; and how images are
        loaded: `color_type` and `to_float32`.

    Raises:
        ValueError: If the config has no test pipeline, or if a step is not supported.
    """
    steps: list[dict[str, Any]] = []
    crop: dict[str, Any] = {}
    load: dict[str, Any] = dict(color_type='color', to_float32=False)
    for transform in _build(find_pipeline(cfg), cfg.default_scope):
        name = type(transform).__name__
        known = type(transform).__module__.split('.')[0] in _HOSTS
        if known and name in STEPS:
            steps.append(_describe(transform))
        elif known and name == 'GetBBoxCenterScale':
            crop['box_scale'] = transform.padding
        elif known and name == 'TopdownAffine':
            crop.update(size=list(transform.input_size[::-1]), udp=transform.use_udp)
        elif known and name in _LOADING:
            load = dict(color_type=transform.color_type, to_float32=transform.to_float32)
            if transform.imdecode_backend not in (None, 'cv2') or transform.color_type not in READ:
                raise _unsupported(
                    f'{name}(color_type={transform.color_type!r}, imdecode_backend={transform.imdecode_backend!r})'
                )
        elif not known or name not in _IGNORED:
            raise _unsupported(name)
    if cfg.default_scope == 'mmpose' and (steps or len(crop) < 3):
        raise ValueError(
            'test_dataloader.dataset.pipeline must have GetBBoxCenterScale and TopdownAffine, and no other step '
            'between loading and packing: export does not support other pipelines for poses'
        )
    return steps, crop, load


def _unsupported(name: str) -> ValueError:
    return ValueError(
        f'test_dataloader.dataset.pipeline has the step {name}, which export does not support: remove it, or use '
        f'{", ".join(STEPS)}'
    )


def _build(pipeline: Sequence[Any], scope: str) -> list[Any]:
    with DefaultScope.overwrite_default_scope(scope):
        return [TRANSFORMS.build(step) if isinstance(step, dict) else step for step in pipeline]


def _describe(transform: Any) -> dict[str, Any]:
    name = type(transform).__name__
    step = dict(type=name, **{key: plain(getattr(transform, key)) for key in _ARGUMENTS[name]})
    if step.get('backend') == 'pillow' and step['interpolation'] not in pillow.INTERPOLATIONS:
        raise _unsupported(f"{name}(backend='pillow', interpolation={step['interpolation']!r})")
    if name == 'CenterCrop':
        padding = transform.pad_cfg
        step['padding'] = dict(
            pad_val=_image_value(padding.get('pad_val', 0)), padding_mode=padding.get('padding_mode', 'constant')
        )
    if name == 'Pad':
        step['pad_val'] = _image_value(transform.pad_val)
    return step


def _image_value(value: Any) -> Any:
    return plain(value.get('img', 0) if isinstance(value, dict) else value)


def plain(value: Any) -> Any:
    """Convert a value of a config or a data set to plain types."""
    if hasattr(value, 'tolist'):  # arrays and tensors
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    return value
