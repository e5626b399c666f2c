"""From a released checkpoint to a plain file of tensors that loads strictly."""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple, Union

import click
import torch
from torch import Tensor, nn

from .. import weights
from ..models import ClassificationNeck, HRFormer
from ..models.arch import ARCHS
from .common import errors

_TASKS = {'decode_head.': 'segmentation', 'neck.0.': 'classification', 'head.fc.': 'classification',
          'head.final_layer.': 'pose'}
_OUTPUTS = dict(segmentation='decode_head.conv_seg', classification='head.fc', pose='head.final_layer')
_BUFFERS = ('running_mean', 'running_var', 'num_batches_tracked', 'relative_position_index')


class Layout(NamedTuple):
    """What a file is: the `task` of its head ('backbone' if it has none), and whether it has the `authors`' names."""
    task: str
    authors: bool


class Conversion(NamedTuple):
    """What was found and written; `arguments` are those of the backbone."""
    layout: Layout
    arguments: dict[str, Any]
    tensors: int
    parameters: int

    @property
    def arch(self) -> str:
        """The name of the variant, or 'custom'."""
        own = self.arguments['arch']
        names = [name for name, arch in ARCHS.items()
                 if all(arch[key] == own[key] for key in ('num_modules', 'channels', 'num_heads'))]
        return names[0] if names else 'custom'


def convert(source: Union[str, os.PathLike], destination: Union[str, os.PathLike]) -> Conversion:
    """Read released weights (a file or its URL), adapt them, check them against a model of the same shape, and write
    them. An existing file is replaced once the new one is complete.

    Raises:
        FileNotFoundError, ValueError: If the source cannot be read, is unknown or incomplete. Nothing is written.
    """
    state = weights.read_tensors(source)
    try:
        authors = any('.attn.attn.q_proj.' in name for name in state)
        if not authors and not any('.attn.attn.qkv.' in name for name in state):
            raise ValueError('these are not HRFormer weights: there must be stage2.0.branches.0.0.attn.attn.qkv.* or '
                             f"….q_proj.*, but the keys are {', '.join(list(state)[:8])}")
        converted = weights.convert_names(state)
        task = next((task for start, task in _TASKS.items() if any(name.startswith(start) for name in converted)),
                    'backbone')
        arguments = weights.describe_backbone({k.removeprefix('backbone.'): v for k, v in converted.items()})
        model = _model(task, converted, arguments)
        converted = weights.adapt_state_dict(model, converted)
        expected = {name: value.shape for name, value in model.state_dict().items()}
        weights.check_state(converted, {**expected, **_ocr(task, converted, arguments)})
    except ValueError as error:
        raise ValueError(f'{source}: {error}') from error
    weights.write_tensors(converted, destination)
    parameters = sum(value.numel() for name, value in converted.items() if not name.endswith(_BUFFERS))
    return Conversion(Layout(task, authors), arguments, len(converted), parameters)


def _classes(task: str, state: Mapping[str, Tensor]) -> int:
    name = f'{_OUTPUTS[task]}.weight'
    if name not in state:
        raise ValueError(f'the key {name} is missing')
    return len(state[name])


def _model(task: str, state: Mapping[str, Tensor], arguments: Mapping[str, Any]) -> nn.Module:
    """A model of these weights on the meta device; of segmentation, the backbone alone, since the head needs mmseg."""
    channels = arguments['arch']['channels']
    with torch.device('meta'):
        parts: dict[str, nn.Module] = dict(backbone=HRFormer(**arguments))
        if task == 'pose':
            parts['head'] = nn.ModuleDict(dict(final_layer=nn.Conv2d(channels[0], _classes(task, state), 1)))
        elif task == 'classification':
            parts['neck'] = nn.Sequential(ClassificationNeck(channels))
            parts['head'] = nn.ModuleDict(dict(fc=nn.Linear(2048, _classes(task, state))))
        return nn.ModuleDict(parts)


def _ocr(task: str, state: Mapping[str, Tensor], arguments: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    if task != 'segmentation':
        return {}
    entry = state.get('decode_head.pixels.0.weight')
    version = 'v3' if entry is not None and entry.shape[-1] == 7 else 'v2'
    shapes = weights.ocr_shapes(sum(arguments['arch']['channels']), _classes(task, state), version)
    return {f'decode_head.{name}': shape for name, shape in shapes.items()}


@click.command('convert')
@click.argument('source')
@click.argument('destination', type=click.Path(dir_okay=False))
def command(source: str, destination: str) -> None:
    """Convert released weights: SOURCE, a file or URL, to DESTINATION, a plain file of tensors.

    It knows the authors' classification, segmentation (v2, v3) and pose files and mmpose's. The result loads strictly
    in the matching config: mim test mmseg CONFIG -C DESTINATION
    """
    with errors():
        done = convert(source, destination)
    windows = ', '.join(str(size) for size in done.arguments['window_sizes'])
    names = "the authors' names" if done.layout.authors else "mmpose's (or this package's) names"
    click.echo(f'{source} is a {done.layout.task} file with {names}: HRFormer {done.arch}, windows {windows}.')
    click.echo(f'Wrote {done.tensors} tensors ({done.parameters:,} parameters) to {destination}.')
