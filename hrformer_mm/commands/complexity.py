"""Count the parameters and multiply-adds of a model, part by part, on the meta device."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
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
from .model import ALL_TASKS, read_config

aten = torch.ops.aten
# Products of two activations; the other operators in PyTorch's registry are convolutions and projections.
PRODUCTS = (aten.bmm, aten.baddbmm)
# Cost per element in the authors' counter for classification and segmentation (`cls/tools/jit_handles.py`).
NORMS = (aten.native_batch_norm, aten._native_batch_norm_legit, aten._native_batch_norm_legit_no_training)
CHEAP = (aten.add, aten.add_, aten.mul, aten.div, aten.relu, aten.relu_)
ELEMENTWISE = {aten._softmax: 5, **dict.fromkeys(NORMS, 4), **dict.fromkeys(CHEAP, 1)}
# Default height and width: those of ImageNet, of the paper's segmentation, and of mmdet.
SIZES = dict(mmpretrain=(224, 224), mmseg=(1024, 1024), mmdet=(800, 1344))


@dataclass
class Part:
    """The parameters of a part of a model, and its operations for one image.

    Attributes:
        weights (int): Multiply-adds of convolutions and projections on maps without padding.
        products (int): Multiply-adds of products of two activations, mainly in attention, on padded maps.
        padded (int): Additional multiply-adds of projections on the positions that pad maps to whole windows.
        elementwise (int): Batch norm (4 per element), softmax (5), additions, scalings and ReLU (1).
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
        """The count of the authors' counter for classification and segmentation (paper, tables 5 and 6)."""
        return self.weights + self.products + self.padded + self.elementwise


@dataclass
class Complexity:
    """The counts for one config."""

    config: str
    scope: str
    size: tuple[int, int]
    parts: dict[str, Part] = field(default_factory=dict)

    @property
    def total(self) -> Part:
        return Part(*map(sum, zip(*map(astuple, self.parts.values()))))

    def paper(self, part: Part) -> int:
        """Count a part in the paper's convention: only convolutions and projections for poses (table 3), otherwise as
        the authors' counter does (tables 5 and 6)."""
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
    """Adds the operations of every call to the part of the innermost running module."""

    def __init__(self, current: Callable[[], Part]) -> None:
        super().__init__()
        self.current = current

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        out = func(*args, **(kwargs or {}))
        operation = func._overloadpacket
        if operation in flop_registry:
            self.current().activations += out.numel()
            count = flop_registry[operation](*args, **(kwargs or {}), out_val=out) // 2  # multiplications and additions
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
    """Count the parameters and operations of a config's model for one image.

    Args:
        config (str): A config file of mmseg, mmpose, mmpretrain or mmdet, a name in the zoo, or a config of a library,
            such as 'mmpose::body_2d_keypoint/…'.
        size (Sequence[int], optional): Height and width of the image. Default: for poses, the input size of the codec;
            otherwise 1024x1024 for mmseg, as in the paper's table 5, 224x224 for mmpretrain and 800x1344 for mmdet.

    Raises:
        FileNotFoundError: If the config does not exist.
        ValueError: If the config has no model of these libraries.
    """
    cfg: Any = get_config(config) if '::' in config else read_config(config, ALL_TASKS)
    scope = cfg.default_scope
    height, width = size if size is not None else _size(cfg, scope)
    model = _build(cfg, scope)
    result = Complexity(config, scope, (height, width))
    image = torch.empty(1, cfg.model.backbone.get('in_channels', 3), height, width, device='meta')
    with torch.no_grad(), _counting(model, result.parts):
        if scope == 'mmseg':  # mode='tensor' fails for cascades of heads
            model.encode_decode(image, [dict(img_shape=(height, width))])
        else:
            model(image, None, mode='tensor')
    for name, parameter in model.named_parameters():
        result.parts.setdefault(part_of(name), Part()).parameters += parameter.numel()
    result.parts = {name: result.parts[name] for name in sorted(result.parts, key=_order)}
    return result


def _build(cfg: Config, scope: str) -> Any:
    cfg.model.pop('pretrained', None)  # mmseg moves it into the config of the backbone, which is built twice below
    with DefaultScope.overwrite_default_scope(scope):
        try:
            with torch.device('meta'):
                return MODELS.build(cfg.model).eval()
        except RuntimeError:  # Swin reads a tensor's value while it is built
            return MODELS.build(cfg.model).eval().to('meta')


def part_of(name: str) -> str:
    """Return the part of a model that a module or parameter belongs to, by its name."""
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
            module.implementation = 'plain'  # calls both products, which are counted

        def enter(module: nn.Module, args: tuple, name: str = name) -> None:
            running.append(name)
            if isinstance(module, LocalWindowAttention):
                part, cost = parts.setdefault(part_of(name), Part()), _padding_cost(module, args[0].shape)
                part.padded += cost
                part.weights -= cost * 3 // 4  # the counter adds those of queries, keys and values

        handles.append(module.register_forward_pre_hook(enter))
        handles.append(module.register_forward_hook(lambda *_: running.pop() and None))
    try:
        with _Counter(lambda: parts.setdefault(part_of(running[-1]), Part())):
            yield
    finally:
        for handle in handles:
            handle.remove()


def _padding_cost(attention: LocalWindowAttention, shape: Sequence[int]) -> int:
    """Return the multiply-adds of the four projections on the positions that pad a map (N, H, W, C)."""
    n, h, w, channels = shape
    padding = centred_padding((h, w), attention.window_size)
    padded = (h + padding.top + padding.bottom) * (w + padding.left + padding.right)
    return n * (padded - h * w) * 4 * channels**2


def _size(cfg: Config, scope: str) -> tuple[int, int]:
    if scope != 'mmpose':
        return SIZES[scope]
    width, height = cfg.codec.input_size
    return height, width


@click.command('complexity')
@click.argument('configs', nargs=-1, required=True)
@click.option(
    '--size',
    type=click.IntRange(min=1),
    nargs=2,
    metavar='HEIGHT WIDTH',
    help='Size of the image. Default: the usual size of the task; 1024 1024 for segmentation.',
)
@click.option('--json', 'as_json', is_flag=True, help='Print JSON instead of a table.')
def command(configs: tuple[str, ...], size: tuple[int, int] | None, as_json: bool) -> None:
    """Count parameters and multiply-adds of the models of CONFIGS (files or names in the zoo) for one image.

    "everything" counts all convolutions, projections and products of attention. "paper" follows table 3 for poses,
    which omits the products, and otherwise the authors' counter (tables 5 and 6), which pads maps before the
    projections and includes batch norm, softmax, ReLU and additions.
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
