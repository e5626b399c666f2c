"""Parameters and multiply-adds of a config's model, part by part, counted on tensors without memory."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import click
import torch
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import MODELS, DefaultScope
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ..layers import LocalWindowAttention, WindowAttention
from ..ops.windows import centred_padding
from .common import errors
from .config import load_config

aten = torch.ops.aten
# Products of two activations; the other entries of PyTorch's registry are convolutions and projections.
PRODUCTS = (aten.bmm, aten.baddbmm)
# What the authors' counter for classification and segmentation adds for every element (`cls/tools/jit_handles.py`).
ELEMENTWISE = {
    aten.native_batch_norm: 4,
    aten._native_batch_norm_legit: 4,
    aten._native_batch_norm_legit_no_training: 4,
    aten._softmax: 5,
    aten.add: 1,
    aten.add_: 1,
    aten.mul: 1,
    aten.div: 1,
    aten.relu: 1,
    aten.relu_: 1,
}
# Height and width where the config says none: ImageNet's; the paper's for segmentation; mmdet's.
SIZES = dict(mmpretrain=(224, 224), mmseg=(1024, 1024), mmdet=(800, 1344))


@dataclass
class Part:
    """Parameters of a part, and its operations on one image.

    Attributes:
        weights (int): Multiply-adds of convolutions and projections on maps without padding.
        products (int): Multiply-adds of products of two activations, above all attention's, on padded maps.
        padded (int): Further multiply-adds of projections of the positions that pad maps to whole windows.
        elementwise (int): Batch norm (4 for each element), softmax (5), additions, scalings and ReLU (1).
        activations (int): Elements of the outputs of convolutions, projections and products.
    """

    parameters: int = 0
    weights: int = 0
    products: int = 0
    padded: int = 0
    elementwise: int = 0
    activations: int = 0

    @property
    def everything(self) -> int:
        """All multiply-adds of the deployment form, which pads maps after the projections."""
        return self.weights + self.products

    @property
    def authors(self) -> int:
        """What the authors' counter for classification and segmentation says (paper, tables 5 and 6)."""
        return self.weights + self.products + self.padded + self.elementwise

    def add(self, other: 'Part') -> None:
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass
class Complexity:
    """The count of one config."""

    config: str
    scope: str
    size: tuple[int, int]
    parts: dict[str, Part] = field(default_factory=dict)

    @property
    def total(self) -> Part:
        total = Part()
        for part in self.parts.values():
            total.add(part)
        return total

    def paper(self, part: Part) -> int:
        """A part in the paper's convention: table 3 (poses) counts convolutions and projections alone; tables 5 and 6
        are from the authors' counter."""
        return part.weights if self.scope == 'mmpose' else part.authors

    def as_dict(self) -> dict[str, Any]:
        rows = {**self.parts, 'total': self.total}
        return dict(
            config=self.config,
            size=self.size,
            parts={
                name: dict(
                    parameters=part.parameters,
                    everything=part.everything,
                    paper=self.paper(part),
                    activations=part.activations,
                )
                for name, part in rows.items()
            },
        )


class _Counter(TorchDispatchMode):
    """Adds the operations of every call to the part that the innermost running module belongs to."""

    def __init__(self, current: Callable[[], Part]) -> None:
        super().__init__()
        self.current = current

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        out = func(*args, **(kwargs or {}))
        operation = func._overloadpacket
        if operation in flop_registry:
            self.current().activations += out.numel()
            count = flop_registry[operation](*args, **(kwargs or {}), out_val=out) // 2  # it counts both
            name = 'products' if operation in PRODUCTS else 'weights'
        elif operation in ELEMENTWISE:
            count = ELEMENTWISE[operation] * (out[0] if isinstance(out, tuple) else out).numel()
            name = 'elementwise'
        else:
            return out
        part = self.current()
        setattr(part, name, getattr(part, name) + count)
        return out


def complexity(config: str, size: Sequence[int] | None = None) -> Complexity:
    """Count a config's model on one image.

    Args:
        config (str): Path of a config of mmseg, mmpose, mmpretrain or mmdet; a name in the zoo; or a library's own, as
            in 'mmpose::body_2d_keypoint/…'.
        size (Sequence[int], optional): Height and width of the image. Default: what the config's model is for; for
            segmentation 1024x1024, as in the paper's table 5.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If the config has no model of these libraries.
    """
    cfg = get_config(config) if '::' in config else load_config(config)
    scope = cfg.get('default_scope')
    if scope not in ('mmseg', 'mmpose', 'mmpretrain', 'mmdet') or 'model' not in cfg:
        raise ValueError(f'{config} has no model of mmseg, mmpose, mmpretrain or mmdet (default_scope is {scope!r})')
    size = tuple(size) if size is not None else _size(cfg, scope)
    model = _build(cfg, scope)
    result = Complexity(config, scope, size)
    image = torch.empty(1, cfg.model.backbone.get('in_channels', 3), *size, device='meta')
    with torch.no_grad(), _counting(model, result.parts):
        if scope == 'mmseg':  # its cascades of heads have no mode='tensor'
            model.encode_decode(image, [dict(img_shape=size)])
        else:
            model(image, None, mode='tensor')
    for name, parameter in model.named_parameters():
        result.parts.setdefault(part_of(name), Part()).parameters += parameter.numel()
    result.parts = {name: result.parts[name] for name in sorted(result.parts, key=_order)}
    return result


def _build(cfg: Config, scope: str) -> nn.Module:
    _without_checkpoints(cfg.model)
    with DefaultScope.overwrite_default_scope(scope):
        try:
            with torch.device('meta'):
                return MODELS.build(cfg.model).eval()
        except RuntimeError:  # Swin asks a tensor for its value while it is built
            return MODELS.build(cfg.model).eval().to('meta')


def part_of(name: str) -> str:
    """The part that a module or parameter of a model belongs to, by its name in the model."""
    found = re.match(r'backbone\.stage(\d)\.\d+\.(branches|fuse_layers)(\.\d+\.\d+\.(attn|ffn|mlp))?', name)
    if found:
        kind = {'attn': 'attention', 'ffn': 'FFN', 'mlp': 'FFN'}.get(found[4], 'blocks')
        return f'stage {found[1]}: {"fusion" if found[2] == "fuse_layers" else kind}'
    for pattern, part in (
        (r'backbone\.(conv|bn|norm)[12]\b', 'stem'),
        (r'backbone\.layer1\b', 'stage 1'),
        (r'backbone\.transition\d', 'transitions'),
        (r'(decode_|auxiliary_)?.*head\b', 'head'),
    ):
        if re.match(pattern, name):
            return part
    return name.split('.')[0] or 'model'


def _order(part: str) -> tuple[int, str]:
    first = ('stem', 'stage 1', 'transitions')
    last = ('neck', 'head')
    return (first.index(part) if part in first else 20 + last.index(part) if part in last else 10, part)


@contextmanager
def _counting(model: nn.Module, parts: dict[str, Part]) -> Iterator[None]:
    running = ['']
    handles = []
    for name, module in model.named_modules():
        if isinstance(module, WindowAttention):
            module.implementation = 'plain'  # the formula, whose every product is counted

        def enter(module: nn.Module, args: tuple, name: str = name) -> None:
            running.append(name)
            if isinstance(module, LocalWindowAttention):
                part, cost = parts.setdefault(part_of(name), Part()), _padding_cost(module, args[0].shape)
                part.padded += cost
                part.weights -= cost * 3 // 4  # those of queries, keys and values, which the counter adds

        handles.append(module.register_forward_pre_hook(enter))
        handles.append(module.register_forward_hook(lambda *_: running.pop() and None))
    try:
        with _Counter(lambda: parts.setdefault(part_of(running[-1]), Part())):
            yield
    finally:
        for handle in handles:
            handle.remove()


def _padding_cost(attention: LocalWindowAttention, shape: Sequence[int]) -> int:
    """Multiply-adds of the four projections, for the positions that pad a map (N, H, W, C) to whole windows."""
    n, h, w, channels = shape
    padding = centred_padding((h, w), attention.window_size)
    padded = (h + padding.top + padding.bottom) * (w + padding.left + padding.right)
    return n * (padded - h * w) * 4 * channels**2


def _size(cfg: Config, scope: str) -> tuple[int, int]:
    if scope != 'mmpose':
        return SIZES[scope]
    width, height = cfg.codec.input_size
    return height, width


def _without_checkpoints(value: Any) -> None:
    """Drop what would be loaded when weights are initialised; they are not."""
    if isinstance(value, dict):
        value.pop('init_cfg', None)
        value.pop('pretrained', None)
    entries = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    for entry in entries:
        _without_checkpoints(entry)


@click.command('complexity')
@click.argument('configs', nargs=-1, required=True)
@click.option(
    '--size',
    type=click.IntRange(min=1),
    nargs=2,
    metavar='HEIGHT WIDTH',
    help='Of the image. Default: what the model is for; 1024 1024 for segmentation.',
)
@click.option('--json', 'as_json', is_flag=True, help='Print JSON, not a table.')
def command(configs: tuple[str, ...], size: tuple[int, int] | None, as_json: bool) -> None:
    """Count parameters and multiply-adds of the models of CONFIGS (files or names in the zoo), part by part, on one
    image.

    "everything" is all convolutions, projections and products of attention that run. "paper" is its table 3's
    convention for poses, without the products; and for the rest that of the authors' counter (tables 5 and 6), which
    pads maps before the projections and adds batch norm, softmax, ReLU and additions.
    """
    with errors():
        counts = [complexity(config, size) for config in configs]
    if as_json:
        click.echo(json.dumps([count.as_dict() for count in counts], indent=2))
        return
    for count in counts:
        click.echo(f'{count.config}, {count.size[0]}x{count.size[1]}')
        click.echo(f'{"":22}{"parameters":>12}{"everything":>14}{"paper":>12}')
        for name, part in (*count.parts.items(), ('total', count.total)):
            everything, paper = part.everything / 1e9, count.paper(part) / 1e9
            click.echo(f'{name:22}{part.parameters:12,}{everything:12.3f} G{paper:10.3f} G')
