"""Count the memory traffic and kernel launches of an HRFormer block on a CUDA GPU, on the meta device.

    python benchmarks/gpu_traffic.py [--check] [--operators]

Counts one block at stride 4 of a 512x1024 image (a 128x256 feature map), batch 2, against mmpose's block. Weights and
feature maps are bfloat16 (`.to(torch.bfloat16)`, no autocast) and channels-last; norms are BatchNorm, drop path is 0.
Training is the forward and the backward pass. No GPU is needed, since nothing is computed.

The same rules apply to both blocks:

- An operator is one launch. It reads each input and writes each output once; nothing stays in a cache. Expanded
  dimensions (stride 0) are read once. Views and uninitialized memory are free.
- An operator that CUDA runs as several others counts as these: `constant_pad_nd` fills its output, then copies.
- A convolution adds its bias in a second pass over its output (cuDNN), a linear layer in the GEMM's epilogue (cuBLAS).
- Batch norm in training reads its input twice; its backward pass reads the input and the gradient twice.
- The backward pass of a convolution counts as one operator, which reads the gradient once. cuDNN needs up to three
  kernels, each of which reads it. This favors mmpose, whose pointwise layers are all convolutions.
- `scaled_dot_product_attention` with a bias runs as on CUDA. If the head size is a multiple of 8, the memory-efficient
  kernel reads q, k, v and the bias, and writes the output and, in training, the logsumexp. Its backward kernel reads
  these and the gradient, recomputes the probabilities, and writes the gradients; the gradient of the bias has one copy
  per window. Other head sizes use the math path: q, k and v are converted to float32, and scores and probabilities are
  stored in float32. mmpose calls matmul and softmax itself and stores both in bfloat16.
- Gradients of views (`select_backward` and `slice_backward`: a fill and a copy) have a separate column. The reported
  ratio is the larger one of those with and without them, so that the choice does not favor this package.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import click
import torch
import torch.nn.functional as F
from rich import box
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from hrformer_mm.layers import HRFormerBlock

BLOCKS = {'T': (18, 1), 'S': (32, 1), 'B': (78, 2)}  # channels and heads at stride 4
WINDOWS = (7, 15)
BATCH, HEIGHT, WIDTH = 2, 128, 256
MLP_RATIO = 4
LIMIT = 0.95  # of mmpose's bytes

VIEW_GRADIENTS = ('select_backward', 'slice_backward')
COMPOSITE = ('constant_pad_nd', '_safe_softmax')
FREE = ('_unsafe_view', 'empty', 'empty_like', 'empty_strided', 'new_empty', 'new_empty_strided')
WRITE_ONLY = ('fill_', 'zero_', 'zeros', 'zeros_like', 'new_zeros', 'ones', 'ones_like', 'full', 'full_like', 'arange')


class Traffic(TorchDispatchMode):
    """Counts the operators that run in this context.

    Attributes:
        bytes (Counter): Bytes read and written, per operator.
        launches (Counter): Kernel launches, per operator.
        view_gradients (int): Bytes of the gradients of views, which are in neither counter.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bytes: Counter[str] = Counter()
        self.launches: Counter[str] = Counter()
        self.view_gradients = 0

    @property
    def total(self) -> int:
        """All bytes except those of the gradients of views."""
        return sum(self.bytes.values())

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        name = function.overloadpacket.__name__
        if name in COMPOSITE:
            with self:
                return function.redispatch(torch._C.DispatchKeySet(torch._C.DispatchKey.Meta), *args, **kwargs)
        out = function(*args, **kwargs)
        if is_view(function) or name in FREE:
            return out
        if name in VIEW_GRADIENTS:
            self.view_gradients += size(out) + 2 * size(args[0])  # a fill and a copy
            return out
        inputs = () if name in WRITE_ONLY else args[1:] if name == 'copy_' else (args, kwargs)
        self._add(name, inputs, out)
        if name == 'convolution':
            if args[2] is not None:
                self._add('add_ of a convolution bias', out, out)
            return channels_last_like(out, args[0])
        if name == 'convolution_backward':
            return channels_last_like(out[0], args[1]), *out[1:]
        if name == 'native_batch_norm' and args[5]:
            self.bytes[name] += size(args[0])
        elif name == 'native_batch_norm_backward':
            self.bytes[name] += size(args[:2])
        return out

    def _add(self, name: str, inputs: Any, outputs: Any) -> None:
        self.launches[name] += 1
        self.bytes[name] += size(inputs) + size(outputs)


def is_view(function: Any) -> bool:
    """Return whether an operator returns a view of an argument and writes nothing."""
    return any(out.alias_info is not None and not out.alias_info.is_write for out in function._schema.returns)


def size(tensors: Any) -> int:
    """Return the bytes of all tensors in nested tuples, lists and dicts. Expanded dimensions count once."""
    total = 0
    for tensor in tree_leaves(tensors):
        if isinstance(tensor, Tensor):
            count = tensor.element_size()
            for length, stride in zip(tensor.shape, tensor.stride()):
                count *= length if stride or not length else 1
            total += count
    return total


def channels_last_like(x: Tensor | None, like: Tensor) -> Tensor | None:
    """Return `x` in channels-last memory if `like` is, as cuDNN does; the meta device loses the memory format."""
    if x is None or not like.is_contiguous(memory_format=torch.channels_last):
        return x
    return torch.empty_like(x, memory_format=torch.channels_last)


class CudaAttention(TorchFunctionMode):
    """Runs scaled_dot_product_attention with the operator that CUDA chooses; the meta device decomposes it."""

    def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        run = cuda_attention if function is F.scaled_dot_product_attention else function
        return run(*args, **(kwargs or {}))


def cuda_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Dispatch :func:`torch.nn.functional.scaled_dot_product_attention` as CUDA does for 16-bit types."""
    if query.shape[-1] % 8 or value.shape[-1] % 8:
        return F.scaled_dot_product_attention(query, key, value, attn_mask, dropout_p, is_causal, scale=scale)
    bias = None if attn_mask is None else attn_mask.expand(*query.shape[:3], key.shape[2])
    tensors = [x for x in (query, key, value, bias) if x is not None]
    training = torch.is_grad_enabled() and any(x.requires_grad for x in tensors)
    return torch.ops.aten._scaled_dot_product_efficient_attention(
        query, key, value, bias, training, dropout_p, is_causal, scale=scale
    )[0]


def our_block(channels: int, heads: int, window: int) -> nn.Module:
    # The default of `attention` depends on the device, and meta is not a GPU.
    return HRFormerBlock(channels, heads, (window, window), MLP_RATIO, 0.0, dict(type='BN'), attention='sdpa')


def mmpose_block(channels: int, heads: int, window: int) -> nn.Module:
    from mmpose.models.backbones.hrformer import HRFormerBlock as Block

    return Block(channels, channels, heads, window_size=window, mlp_ratio=MLP_RATIO, norm_cfg=dict(type='BN'))


def count(block: nn.Module, channels: int, train: bool) -> Traffic:
    """Count the traffic of a block in the forward pass, or in the forward and backward passes."""
    block.to('meta').to(torch.bfloat16).train(train)  # train() of mmpose's block returns None
    x = torch.empty(
        BATCH,
        channels,
        HEIGHT,
        WIDTH,
        device='meta',
        dtype=torch.bfloat16,
        memory_format=torch.channels_last,
        requires_grad=train,
    )
    with Traffic() as traffic, CudaAttention(), torch.set_grad_enabled(train):
        y = block(x)
        if train:
            y.backward(torch.empty_like(y))
    return traffic


@dataclass
class Row:
    """Our block and mmpose's block, for one variant."""

    variant: str
    window: int
    train: bool
    mmpose: Traffic = field(repr=False)
    ours: Traffic = field(repr=False)

    @property
    def name(self) -> str:
        return f'{self.variant} {self.window}x{self.window} {"training" if self.train else "inference"}'

    @property
    def ratio(self) -> float:
        """The ratio of our bytes to mmpose's, with or without the gradients of views, whichever is larger."""
        ours, mmpose = self.ours, self.mmpose
        return max(
            ours.total / mmpose.total, (ours.total + ours.view_gradients) / (mmpose.total + mmpose.view_gradients)
        )


def rows(variants: tuple[str, ...] = tuple(BLOCKS), windows: tuple[int, ...] = WINDOWS) -> Iterator[Row]:
    builders: tuple[Callable[..., nn.Module], ...] = (mmpose_block, our_block)
    for variant in variants:
        channels, heads = BLOCKS[variant]
        for window in windows:
            for train in (False, True):
                yield Row(
                    variant,
                    window,
                    train,
                    *(count(build(channels, heads, window), channels, train) for build in builders),
                )


@click.command()
@click.option('--check', is_flag=True, help=f'Fail if a ratio exceeds {LIMIT}.')
@click.option('--operators', is_flag=True, help='List the launches and bytes of each operator.')
def main(check: bool, operators: bool) -> None:
    """Compare the memory traffic and kernel launches of an HRFormer block on a GPU with mmpose's block."""
    console = Console(highlight=False, width=120)
    counted = list(rows())
    table = Table(
        'block',
        *('launches, mmpose', 'ours', 'MB, mmpose', 'ours', 'view gradients, mmpose', 'ours'),
        'ratio',
        box=box.SIMPLE,
    )
    for row in counted:
        pair = (row.mmpose, row.ours)
        table.add_row(
            row.name,
            *(str(sum(traffic.launches.values())) for traffic in pair),
            *(f'{traffic.total / 1e6:.0f}' for traffic in pair),
            *(f'{traffic.view_gradients / 1e6:.0f}' for traffic in pair),
            f'{row.ratio:.2f}',
            style='bold red' if row.ratio > LIMIT else None,
        )
    console.print(table)
    for row in counted if operators else ():
        for whose, traffic in (('mmpose', row.mmpose), ('ours', row.ours)):
            console.print(f'{row.name}, {whose}', style='bold')
            for name, moved in traffic.bytes.most_common():
                console.print(f'{moved / 1e6:8.1f} MB  {traffic.launches[name]:3}x  {name}')
    exceeded = [row.name for row in counted if row.ratio > LIMIT]
    if check and exceeded:
        raise click.ClickException(f"more than {LIMIT} of mmpose's bytes: {', '.join(exceeded)}")


if __name__ == '__main__':
    main()
