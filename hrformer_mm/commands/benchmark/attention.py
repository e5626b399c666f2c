"""Window attention alone: ours against mmpose's way, on the map of stride 4, with windows of 7x7 and 15x15."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Optional

import torch
from rich import box
from rich.table import Table
from torch import Tensor

from ...kernels import usable
from ...models.arch import ARCHS, DEFAULTS
from ...ops import centred_padding, merge_windows, partition_windows, set_attention_backend, window_attention
from .benchmarking import take_turns
from .machine import copy_bandwidth, environment, gemm_rate, synchronizer
from .options import Options

STRIDE = 4
WINDOWS = (7, 15)
COPIES = {'cpu': 1, 'cuda': 4}  # of the inputs, one after the other: more than a GPU's cache holds
PEER = "mmpose's way"
Step = Callable[[], Sequence[Tensor]]


@dataclass(frozen=True)
class AttentionRow:
    """What one way costs.

    Args:
        window (int): Side of the windows.
        what (str): 'forward', or 'forward and backward'.
        name (str): The backend, or mmpose's way.
        median_ms, lowest_ms, highest_ms (float): Over the runs.
        times_as_fast (float): The median of mmpose's way over this one's.
        of_floor (float): The time that the floor needs over the median. The floor is the larger of two: reading and
            writing every map once at the rate of copies, and the products at the rate of matrix products.
        error (float): Distance to what the formula gives in float64, over its norm: the worst of output and gradients.
    """
    window: int
    what: str
    name: str
    median_ms: float
    lowest_ms: float
    highest_ms: float
    times_as_fast: float
    of_floor: float
    error: float


@dataclass(frozen=True)
class AttentionBenchmark:
    """All rows, the machine's rates, and what it was run on."""
    options: Options
    environment: dict[str, Any]
    gemm_gflops: float
    copy_gbps: float
    rows: Sequence[AttentionRow]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def benchmark_attention(options: Options) -> AttentionBenchmark:
    """Measure all ways on the map of stride 4 of the first size: the forward pass, and then both passes."""
    gemm, bandwidth = gemm_rate(options.device, options.torch_dtype), copy_bandwidth(options.device)
    rows = [row for window in WINDOWS for train in (False, True)
            for row in _rows(options, window, train, gemm, bandwidth)]
    return AttentionBenchmark(options, environment(options), gemm / 1e9, bandwidth / 1e9, rows)


def _rows(options: Options, window: int, train: bool, gemm: float, bandwidth: float) -> Iterator[AttentionRow]:
    variant = {**DEFAULTS, **ARCHS[options.arch]}
    channels, heads = variant['channels'][0], variant['num_heads'][0]
    height, width = (-(-side // STRIDE) for side in options.sizes[0])
    inputs = [torch.randn(shape, device=options.device).to(options.torch_dtype) for shape in (
        (options.batch, height, width, 3 * channels), (3 * channels, ), (heads, window**2, window**2))]
    grad = torch.randn(options.batch, height, width, channels, device=options.device).to(options.torch_dtype)

    copies = [[x.clone() for x in inputs] for _ in range(COPIES[options.device])]
    steps = {name: _step(function, copies, grad, heads, window, train) for name, function in _ways(options).items()}
    doubles = [x.double() for x in inputs]
    expected = _step(_by_backend('plain'), [doubles], grad.double(), heads, window, train)()
    errors = {name: _error(step(), expected) for name, step in steps.items()}
    times = _times(steps, options)

    places = options.batch * height * width
    padding = centred_padding((height, width), (window, window))
    padded = options.batch * (height + padding.top + padding.bottom) * (width + padding.left + padding.right)
    # Maps of C channels: q, k, v and the output; going back q, k, v, the output's gradient and the three of the first.
    moved = (11 if train else 4) * places * channels * grad.element_size()
    # Products of L x L x C for each window: two; going back one of them again, and four for the gradients.
    operations = (7 if train else 2) * 2 * padded * window**2 * channels
    floor = max(moved / bandwidth, operations / gemm)
    first = statistics.median(times[PEER])
    for name, own in times.items():
        median = statistics.median(own)
        yield AttentionRow(window, 'forward and backward' if train else 'forward', name, median, min(own), max(own),
                           first / median, 1000 * floor / median, errors[name])


def _ways(options: Options) -> dict[str, Callable[..., Tensor]]:
    names = ['batched', 'fused']
    if options.device == 'cuda' and usable(torch.device('cuda', torch.cuda.current_device())):
        names.append('triton')
    return {PEER: mmpose_way, **{f'hrformer_mm, {name}': _by_backend(name) for name in names}}


def _by_backend(name: str) -> Callable[..., Tensor]:

    def call(qkv: Tensor, value: Tensor, bias: Tensor, heads: int, window: int) -> Tensor:
        previous = set_attention_backend(name)
        try:
            return window_attention(qkv, value, heads, (window, window), bias)
        finally:
            set_attention_backend(previous)

    return call


def mmpose_way(qkv: Tensor, value: Tensor, bias: Tensor, heads: int, window: int) -> Tensor:
    """Step by step, as mmpose's module does it between its projections: the map is padded, cut into windows, which are
    cut into heads; scores are stored, and the softmax is in float32, as under autocast; and all the way back."""
    padding = centred_padding(qkv.shape[1:3], (window, window))
    padded = padding.pad(qkv, value)
    windows = partition_windows(padded, (window, window))[0, :, 0]
    q, k, v = windows.unflatten(2, (3, heads, -1)).permute(2, 0, 3, 1, 4)
    scores = (q * q.shape[3]**-0.5) @ k.transpose(2, 3) + bias
    weights = scores.softmax(3, dtype=scores.dtype if scores.dtype == torch.float64 else torch.float32)
    out = (weights.to(v.dtype) @ v).transpose(1, 2).flatten(2)
    return padding.crop(merge_windows(out[None, :, None], (window, window), padded.shape[1:3])).contiguous()


def _step(function: Callable[..., Tensor], copies: Sequence[Sequence[Tensor]], grad: Tensor, heads: int, window: int,
          train: bool) -> Step:
    """What runs over all copies of the inputs, and gives the output and the gradients of the last."""

    def single(inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        if not train:
            with torch.no_grad():
                return function(*inputs, heads, window),
        leaves = [x.detach().requires_grad_() for x in inputs]
        out = function(*leaves, heads, window)
        # Where nothing is padded, the padding's value has no gradient.
        return out.detach(), *torch.autograd.grad(out, leaves, grad, allow_unused=True, materialize_grads=True)

    def call() -> Sequence[Tensor]:
        return [single(inputs) for inputs in copies][-1]

    return call


def _error(found: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    return max(((a - b).norm() / b.norm().clamp_min(1e-9)).item() for a, b in zip(found, expected))


def _times(steps: dict[str, Step], options: Options) -> dict[str, list[float]]:
    """Milliseconds of each step, for one copy of the inputs.

    On CUDA it is the device's own time, steps repeated in a CUDA graph, since a step is shorter than its launch. On
    the CPU the steps take turns.
    """
    if options.device == 'cuda':
        from triton.testing import do_bench_cudagraph
        times = {name: do_bench_cudagraph(step, return_mode='all') for name, step in steps.items()}
        return {name: [ms / COPIES['cuda'] for ms in own] for name, own in times.items()}
    return dict(zip(steps, take_turns(list(steps.values()), options.runs, synchronizer(options.device))))


def attention_table(result: AttentionBenchmark) -> Table:
    """A section for each window and pass."""
    made = Table('', 'median ms', 'lowest', 'highest', 'times as fast', 'of floor', 'error', box=box.SIMPLE)
    for column in made.columns[1:]:
        column.justify = 'right'
    section: Optional[tuple[int, str]] = None
    for row in result.rows:
        if section != (row.window, row.what):
            section = row.window, row.what
            made.add_section()
            made.add_row(f'{row.window}x{row.window}, {row.what}', style='bold')
        made.add_row(row.name, f'{row.median_ms:.3f}', f'{row.lowest_ms:.3f}', f'{row.highest_ms:.3f}',
                     f'{row.times_as_fast:.2f}', f'{row.of_floor:.0%}', f'{row.error:.1e}')
    return made
