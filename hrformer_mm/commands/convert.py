"""From a released checkpoint to a plain file of tensors that loads strictly."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Union

import click
import torch
from torch import Tensor

from ..models import ClassificationNeck, HRFormer
from ..models.arch import ARCHS
from ..weights import (
    Layout,
    check_state,
    convert_names,
    describe_backbone,
    ocr_shapes,
    read_tensors,
    recognise,
    write_tensors,
)
from .common import errors


@dataclass(frozen=True)
class Conversion:
    """What was found and written: `arguments` are those of the backbone that the weights are of."""
    layout: Layout
    arguments: dict[str, Any]
    tensors: int
    parameters: int

    @property
    def arch(self) -> str:
        """The name of the variant, or 'custom'."""
        own = self.arguments['arch']
        names = [name for name, arch in ARCHS.items()
                 if all(arch.get(key, own[key]) == own[key] for key in ('num_modules', 'channels', 'num_heads'))]
        return names[0] if names else 'custom'


def convert(source: Union[str, os.PathLike], destination: Union[str, os.PathLike]) -> Conversion:
    """Recognise, rename, check against a model of the same shape, and write.

    Args:
        source (str | PathLike): A released file or its URL.
        destination (str | PathLike): What to write. An existing file is replaced once the new one is complete.

    Raises:
        FileNotFoundError, ValueError: If the source cannot be read, is unknown or incomplete. Nothing is written.
    """
    state = read_tensors(source)
    try:
        layout = recognise(state)
        converted = convert_names(state, layout)
        arguments = describe_backbone(_part(converted, 'backbone.'))
        backbone = _shapes(HRFormer, **arguments)
        check_state(converted, {**_prefixed('backbone.', backbone), **_head_shapes(layout.task, converted, arguments)})
    except ValueError as error:
        raise ValueError(f'{source}: {error}') from error
    write_tensors(converted, destination)
    parameters = sum(v.numel() for k, v in converted.items() if not k.endswith(_BUFFERS))
    return Conversion(layout, arguments, len(converted), parameters)


_BUFFERS = ('running_mean', 'running_var', 'num_batches_tracked', 'relative_position_index')


def _head_shapes(task: str, state: Mapping[str, Tensor], arguments: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    channels = arguments['arch']['channels']
    if task == 'pose':
        keypoints = _rows(state, 'head.final_layer.weight')
        return {'head.final_layer.weight': (keypoints, channels[0], 1, 1), 'head.final_layer.bias': (keypoints, )}
    if task == 'classification':
        classes = _rows(state, 'head.fc.weight')
        neck = _shapes(ClassificationNeck, in_channels=channels)
        return {**_prefixed('neck.0.', neck), 'head.fc.weight': (classes, 2048), 'head.fc.bias': (classes, )}
    if task == 'segmentation':
        kernel = state['decode_head.pixels.0.weight'].shape[-1] if 'decode_head.pixels.0.weight' in state else 3
        shapes = ocr_shapes(sum(channels), _rows(state, 'decode_head.conv_seg.weight'), 'v3' if kernel == 7 else 'v2')
        return _prefixed('decode_head.', shapes)
    return {}


def _shapes(module: type, **arguments: Any) -> dict[str, tuple[int, ...]]:
    with torch.device('meta'):
        return {name: tuple(value.shape) for name, value in module(**arguments).state_dict().items()}


def _rows(state: Mapping[str, Tensor], name: str) -> int:
    if name not in state:
        raise ValueError(f'the key {name} is missing')
    return state[name].shape[0]


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix):]: value for name, value in state.items() if name.startswith(prefix)}


def _prefixed(prefix: str, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    return {prefix + name: shape for name, shape in shapes.items()}


@click.command('convert')
@click.argument('source')
@click.argument('destination', type=click.Path(dir_okay=False))
def command(source: str, destination: str) -> None:
    """Convert released weights: SOURCE, a file or URL, to DESTINATION, a plain file of tensors.

    Knows the authors' classification, segmentation (v2, v3) and pose files and mmpose's. The result loads strictly
    in the matching config: mim test mmseg CONFIG -C DESTINATION
    """
    with errors():
        done = convert(source, destination)
    windows = ', '.join(str(size) for size in done.arguments['window_sizes'])
    click.echo(f'{source} is {done.layout}: HRFormer {done.arch}, windows {windows}.')
    if done.layout.authors and done.layout.task == 'pose':
        click.echo("The authors' pose code does not use its tables of relative position bias: they were set to zero.")
    click.echo(f'Wrote {done.tensors} tensors ({done.parameters:,} parameters) to {destination}.')
