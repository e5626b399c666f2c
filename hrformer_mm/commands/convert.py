"""Convert released checkpoints to plain files of tensors that load strictly."""

import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click
import torch
from mmengine.fileio import get_local_path
from torch import Tensor, nn

from .. import __version__, weights
from ..layers import conv_norm
from ..models import ClassificationNeck, HRFormer
from ..models.arch import ARCHS
from ..ops import square_window
from ..released import SCHEME
from ..weights.layouts import TABLE
from .common import errors
from .folder import check_file

_TASKS = {
    'decode_head.': 'segmentation',
    'neck.0.': 'classification',
    'head.fc.': 'classification',
    'head.final_layer.': 'pose',
}
_OUTPUTS = dict(segmentation='decode_head.conv_seg', classification='head.fc', pose='head.final_layer')
_BUFFERS = ('running_mean', 'running_var', 'num_batches_tracked', 'relative_position_index')


class Layout(NamedTuple):
    """The `task` of a file's head ('backbone' if it has no head), and whether its keys are the `authors`' names."""

    task: str
    authors: bool


class Conversion(NamedTuple):
    """The result of a conversion: `arguments` of the backbone, and `unchanged` if the file already had this layout."""

    layout: Layout
    arguments: dict[str, Any]
    tensors: int
    parameters: int
    unchanged: bool = False

    @property
    def arch(self) -> str:
        """The name of the variant, or 'custom'."""
        own = self.arguments['arch']
        names = [
            name
            for name, arch in ARCHS.items()
            if all(arch[key] == own[key] for key in ('num_modules', 'channels', 'num_heads'))
        ]
        return names[0] if names else 'custom'


def convert(source: str | os.PathLike, destination: str | os.PathLike) -> Conversion:
    """Read released weights, convert them, check them against a model of the same shape, and write them.

    An existing file is replaced only when the new one is complete.

    Args:
        source (str | PathLike): A file, a URL or the name of released weights.
        destination (str | PathLike): The output file, in safetensors format if it ends with `.safetensors`, with the
            source in its metadata; otherwise in PyTorch's format. `hrformer_mm://NAME` is the file in the cache from
            which the weights of this name are loaded.

    Raises:
        FileNotFoundError, ValueError: If the source cannot be read, is unknown or incomplete, or is the destination.
        OSError: If the destination cannot be written to. Nothing is written.
    """
    path = _path(destination)
    check_file(path, [source])
    state, unchanged = weights.read_tensors(source), False
    try:
        authors = any('.attn.attn.q_proj.' in name for name in state)
        if not authors and not any('.attn.attn.qkv.' in name for name in state):
            raise ValueError(
                'these are not HRFormer weights: there must be stage2.0.branches.0.0.attn.attn.qkv.* or '
                f'….q_proj.*, but the keys are {", ".join(list(state)[:8])}'
            )
        converted = weights.convert_names(state)
        unchanged = converted.keys() == state.keys() and all(converted[name] is state[name] for name in state)
        task = next(
            (task for start, task in _TASKS.items() if any(name.startswith(start) for name in converted)), 'backbone'
        )
        arguments = describe_backbone({k.removeprefix('backbone.'): v for k, v in converted.items()})
        model = _model(task, converted, arguments)
        converted = weights.adapt_state_dict(model, converted)
        weights.check_state(converted, {name: value.shape for name, value in model.state_dict().items()})
    except ValueError as error:
        if unchanged:
            difference = str(error).removeprefix('the weights do not fit. ')
            raise ValueError(
                f'{source} is already in this layout, and there is nothing to convert: load it with the config that it '
                f'was trained with. Compared with a whole file of a released model: {difference}'
            ) from error
        raise ValueError(f'{source}: {error}') from error
    weights.write_tensors(converted, path, _provenance(source))
    parameters = sum(value.numel() for name, value in converted.items() if not name.endswith(_BUFFERS))
    return Conversion(Layout(task, authors), arguments, len(converted), parameters, unchanged)


def _path(destination: str | os.PathLike) -> Path:
    released = weights.find_released(str(destination)) if str(destination).startswith(SCHEME) else None
    if released is None:
        return Path(destination)
    released.path.parent.mkdir(parents=True, exist_ok=True)
    return released.path


def _provenance(source: str | os.PathLike) -> dict[str, str]:
    """Describe the origin of weights for the metadata of a file, without local folders."""
    source = str(source)
    found = weights.find_released(source)
    if found is not None:
        address = found.address or found.link
    else:
        address = source if '://' in source else os.path.basename(source)
    with get_local_path(weights.locate(source)) as path:
        return dict(source=address, source_sha256=weights.sha256(path), converter=f'hrformer_mm {__version__}')


def describe_backbone(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Derive the arguments `arch` (as a dict), `window_sizes` and `out_indices` of a backbone from its weights.

    Raises:
        ValueError: If a required key is missing.
    """

    def count(pattern: str) -> int:
        return len({match[1] for match in map(re.compile(pattern).match, state) if match})

    blocks = [f'stage4.0.branches.{branch}.0' for branch in range(4)]
    modules = (1,) + tuple(count(rf'stage{number}\.(\d+)\.') for number in (2, 3, 4))
    fusion = f'stage4.{modules[3] - 1}.fuse_layers'
    try:
        channels = tuple(len(state[f'{block}.norm1.weight']) for block in blocks)
        tables = [state[f'{block}.attn.attn{TABLE}'] for block in blocks]
        mlp_ratio = len(state[f'{blocks[0]}.ffn.fc1.weight']) / channels[0]
    except KeyError as error:
        raise ValueError(f'the key {error.args[0]} is missing') from None
    return dict(
        arch=dict(
            num_modules=modules,
            channels=channels,
            num_heads=tuple(table.shape[1] for table in tables),
            num_blocks=count(r'stage4\.0\.branches\.0\.(\d+)\.'),
            mlp_ratio=mlp_ratio,
        ),
        window_sizes=tuple(square_window(table) for table in tables),
        out_indices=tuple(i for i in range(4) if any(name.startswith(f'{fusion}.{i}.') for name in state)),
    )


def _model(task: str, state: Mapping[str, Tensor], arguments: Mapping[str, Any]) -> nn.Module:
    """Build a model with the shapes of the weights on the meta device, without mmseg, mmpose and mmpretrain."""
    channels, output = arguments['arch']['channels'], f'{_OUTPUTS.get(task)}.weight'
    if task != 'backbone' and output not in state:
        raise ValueError(f'the key {output} is missing')
    with torch.device('meta'):
        parts: dict[str, nn.Module] = dict(backbone=HRFormer(**arguments))
        if task == 'pose':
            parts['head'] = nn.ModuleDict(dict(final_layer=nn.Conv2d(channels[0], len(state[output]), 1)))
        elif task == 'classification':
            parts['neck'] = nn.Sequential(ClassificationNeck(channels))
            parts['head'] = nn.ModuleDict(dict(fc=nn.Linear(2048, len(state[output]))))
        elif task == 'segmentation':
            entry = state.get('decode_head.pixels.0.weight')
            parts['decode_head'] = _ocr_head(sum(channels), len(state[output]), 3 if entry is None else entry.shape[-1])
        return nn.ModuleDict(parts)


def _ocr_head(total: int, classes: int, kernel: int) -> nn.Module:
    def conv(a: int, b: int, kernel: int = 1, groups: int = 1) -> list[nn.Module]:
        return conv_norm(a, b, dict(type='BN'), kernel, groups=groups, bias=True, relu=True)

    entry = (total, 512, kernel, math.gcd(total, 512) if kernel == 7 else 1)  # 7x7 in v3
    return nn.ModuleDict(
        dict(
            pixels=nn.Sequential(*conv(*entry)),
            auxiliary=nn.Sequential(*conv(*entry), nn.Conv2d(512, classes, 1)),
            attention=nn.ModuleDict(
                dict(
                    query=nn.Sequential(*conv(512, 256), *conv(256, 256)),
                    key=nn.Sequential(*conv(512, 256), *conv(256, 256)),
                    value=nn.Sequential(*conv(512, 256)),
                    project=nn.Sequential(*conv(256, 512)),
                )
            ),
            fuse=nn.Sequential(*conv(1024, 512)),
            conv_seg=nn.Conv2d(512, classes, 1),
        )
    )


@click.command('convert')
@click.argument('source')
@click.argument('destination', type=click.Path())
def command(source: str, destination: str) -> None:
    """Convert released weights from SOURCE (a file, URL or name) to DESTINATION, a plain file of tensors.

    Supported are the authors' files for classification, segmentation (v2, v3) and poses, and mmpose's. The result loads
    strictly in the matching config: mim test mmseg CONFIG -C DESTINATION

    DESTINATION is a safetensors file if it ends with .safetensors; its metadata state the source. With
    hrformer_mm://NAME, the weights are stored in the cache, and every command finds them by this NAME (hrformer-mm
    weights).
    """
    with errors():
        done = convert(source, destination)
    windows = ', '.join(str(size) for size in done.arguments['window_sizes'])
    names = "with the authors' names" if done.layout.authors else "with mmpose's names"
    if done.unchanged:
        names = "with this package's names, already in this layout"
    click.echo(f'{source} is a {done.layout.task} file {names}: HRFormer {done.arch}, windows {windows}.')
    click.echo(f'Wrote {done.tensors} tensors ({done.parameters:,} parameters) to {destination}.')
