"""From a released checkpoint to a plain file of tensors that loads strictly."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union

import click
import torch
from torch import Tensor, nn

from ..models import ClassificationNeck, HRFormer
from ..models.arch import ARCHS
from ..weights import (Layout, check_state, convert_names, describe_backbone, ocr_shapes, read_tensors, recognise,
                       write_tensors)
from .common import errors

_BUFFERS = ('running_mean', 'running_var', 'num_batches_tracked', 'relative_position_index')


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
    """Read released weights, a file or its URL, adapt their layout, check them against a model of the same shape, and
    write them. An existing file is replaced once the new one is complete.

    Raises:
        FileNotFoundError, ValueError: If the source cannot be read, is unknown or incomplete. Nothing is written.
    """
    state = read_tensors(source)
    try:
        layout = recognise(state)
        converted = convert_names(state)
        arguments = describe_backbone({name.removeprefix('backbone.'): value for name, value in converted.items()})
        check_state(converted, {**_shapes('backbone.', HRFormer, **arguments),
                                **_head_shapes(layout.task, converted, arguments['arch']['channels'])})
    except ValueError as error:
        raise ValueError(f'{source}: {error}') from error
    write_tensors(converted, destination)
    parameters = sum(value.numel() for name, value in converted.items() if not name.endswith(_BUFFERS))
    return Conversion(layout, arguments, len(converted), parameters)


def _head_shapes(task: str, state: Mapping[str, Tensor], channels: Sequence[int]) -> dict[str, Sequence[int]]:
    if task == 'backbone':
        return {}
    output = dict(pose='head.final_layer', classification='head.fc', segmentation='decode_head.conv_seg')[task]
    if f'{output}.weight' not in state:
        raise ValueError(f'the key {output}.weight is missing')
    count = len(state[f'{output}.weight'])
    if task == 'pose':
        return _shapes(f'{output}.', nn.Conv2d, channels[0], count, 1)
    if task == 'classification':
        return {**_shapes('neck.0.', ClassificationNeck, channels), **_shapes(f'{output}.', nn.Linear, 2048, count)}
    entry = state.get('decode_head.pixels.0.weight')
    version = 'v3' if entry is not None and entry.shape[-1] == 7 else 'v2'
    return {f'decode_head.{name}': shape for name, shape in ocr_shapes(sum(channels), count, version).items()}


def _shapes(prefix: str, module: type[nn.Module], *args: Any, **kwargs: Any) -> dict[str, Sequence[int]]:
    with torch.device('meta'):
        return {prefix + name: value.shape for name, value in module(*args, **kwargs).state_dict().items()}


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
    click.echo(f'Wrote {done.tensors} tensors ({done.parameters:,} parameters) to {destination}.')
