"""The test pipeline of a config as the plain steps that :mod:`hrformer_mm.runtime` performs."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope

from ...runtime.preprocessing import STEPS

_HOSTS = ('mmcv', 'mmseg', 'mmpose', 'mmpretrain', 'hrformer_mm')
_ARGUMENTS = dict(Resize=('scale', 'scale_factor', 'keep_ratio', 'interpolation', 'backend'),
                  ResizeEdge=('scale', 'edge', 'interpolation', 'backend'),
                  CenterCrop=('crop_size', 'auto_pad'),
                  Pad=('size', 'size_divisor', 'pad_to_square', 'padding_mode'))
# They read files, load annotations, or pack the sample.
_IGNORED = ('LoadImageFromFile', 'LoadImageFromNDArray', 'LoadImage', 'LoadAnnotations', 'PackSegInputs', 'PackInputs',
            'PackPoseInputs')


def describe_pipeline(cfg: Config) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Describe the test pipeline.

    Returns:
        tuple: The steps that change the image, see :func:`...runtime.preprocessing.run_steps`; and for poses
        `box_scale`, the factor of a box's size, `size`, the height and width of the crop, and `udp`.

    Raises:
        ValueError: If the config has no test pipeline, or one with a step that has no description.
    """
    pipeline = cfg.get('test_dataloader', {}).get('dataset', {}).get('pipeline')
    if not pipeline:
        raise ValueError(f'{cfg.filename} has no test_dataloader.dataset.pipeline: it describes how pictures are '
                         'prepared, which an exported file must state')
    steps, crop = [], {}
    for transform in _build(pipeline, cfg.default_scope):
        name = type(transform).__name__
        known = type(transform).__module__.split('.')[0] in _HOSTS
        if known and name in STEPS:
            steps.append(_describe(transform))
        elif known and name == 'GetBBoxCenterScale':
            crop['box_scale'] = transform.padding
        elif known and name == 'TopdownAffine':
            crop.update(size=list(transform.input_size[::-1]), udp=transform.use_udp)
        elif not known or name not in _IGNORED:
            raise _unsupported(name)
    if cfg.default_scope == 'mmpose' and (steps or len(crop) < 3):
        raise ValueError('test_dataloader.dataset.pipeline must have GetBBoxCenterScale and TopdownAffine, and nothing '
                         'else between loading and packing: an exported file cannot state another preparation of poses')
    return steps, crop


def _unsupported(name: str) -> ValueError:
    return ValueError(f'test_dataloader.dataset.pipeline has the step {name}, which an exported file cannot state: '
                      f"leave it out, or use {', '.join(STEPS)}")


def _build(pipeline: Sequence[Any], scope: str) -> list[Any]:
    registry = import_module(f'{scope}.registry').TRANSFORMS
    import_module(f'{scope}.datasets')  # whose import registers the transforms
    with DefaultScope.overwrite_default_scope(scope):
        return [registry.build(step) if isinstance(step, dict) else step for step in pipeline]


def _describe(transform: Any) -> dict[str, Any]:
    name = type(transform).__name__
    step = dict(type=name, **{key: plain(getattr(transform, key)) for key in _ARGUMENTS[name]})
    if name == 'CenterCrop':
        padding = transform.pad_cfg
        step['padding'] = dict(pad_val=_image_value(padding.get('pad_val', 0)),
                               padding_mode=padding.get('padding_mode', 'constant'))
    if name == 'Pad':
        step['pad_val'] = _image_value(transform.pad_val)
    return step


def _image_value(value: Any) -> Any:
    return plain(value.get('img', 0) if isinstance(value, dict) else value)


def plain(value: Any) -> Any:
    """A value of a config or a data set as one of JSON."""
    if hasattr(value, 'tolist'):  # NumPy's and PyTorch's
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    return value
