"""Contenders take turns; what each costs."""

import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Optional

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ...ops import set_block_backend
from .backbones import backbones
from .contender import OURS, Contender
from .machine import copy_bandwidth, environment, gemm_rate, synchronizer
from .memory import held_bytes, peak_bytes
from .options import Options
from .segmentors import segmentors

WARM_UP = 2  # runs that are not counted, besides the first, which compiles
Progress = Callable[[Iterable, str], Iterable]


@dataclass(frozen=True)
class Row:
    """What a contender costs at one size.

    Args:
        name (str): The contender's.
        median_ms, lowest_ms, highest_ms (float): Over the counted runs.
        times_as_fast (float): The first contender's median over this one's.
        gmac (float): Multiply-adds of the step, in 1e9; for all forms of HRFormer those of our plain one.
        of_floor (float): The time that the machine's rate of matrix products needs for them, over the median.
        peak_mib (float): The most memory of tensors at a time: what the model holds, the image and what the step makes.
        peak_ratio (float): To the first contender's.
        growth (float): Time per pixel, relative to that of the first size.
        error (float, optional): Of the outputs: distance to the first contender's over their norm, the worst of the
            maps. None for another network.
        compile_s (float, optional): Seconds of the first step, of one that is compiled.
    """
    name: str
    median_ms: float
    lowest_ms: float
    highest_ms: float
    times_as_fast: float
    gmac: float
    of_floor: float
    peak_mib: float
    peak_ratio: float
    growth: float
    error: Optional[float]
    compile_s: Optional[float]


@dataclass(frozen=True)
class Section:
    """All contenders at one size."""
    height: int
    width: int
    rows: Sequence[Row]


@dataclass(frozen=True)
class Benchmark:
    """All sizes, the machine's rates, and what it was run on."""
    options: Options
    environment: dict[str, Any]
    gemm_gflops: float
    copy_gbps: float
    sections: Sequence[Section]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def benchmark(options: Options, progress: Progress = lambda items, _: items) -> Benchmark:
    """Measure all contenders that are asked for, turn by turn.

    Args:
        options (Options): What to run.
        progress (callable): Takes something to iterate over and its name, and gives the same to iterate over.

    Raises:
        ImportError: If a library that is needed for what is asked is not installed; mmpose may be missing.
    """
    gemm = gemm_rate(options.device, options.torch_dtype)
    bandwidth = copy_bandwidth(options.device)
    per_pixel: dict[str, float] = {}
    sections = [_section(options, size, gemm, per_pixel, progress) for size in options.sizes]
    return Benchmark(options, environment(options), gemm / 1e9, bandwidth / 1e9, sections)


def _section(options: Options, size: tuple[int, int], gemm: float, per_pixel: dict[str, float],
             progress: Progress) -> Section:
    """All contenders at a size; `per_pixel` holds their times per pixel at the first size, and gets them there."""
    label = f'{size[0]}x{size[1]}'
    if options.compile:
        torch.compiler.reset()  # else a second size is compiled for sizes that vary, which is slower
    contenders = (segmentors if options.ocr else backbones)(options, size)
    firsts = _first_steps(progress(contenders, f'{label}, first steps'))
    operations = {contender.name: _operations(contender) for contender in contenders
                  if contender.context or contender.name == OURS}
    peaks = [_peak(contender, options, size) for contender in progress(contenders, f'{label}, memory')]
    times = take_turns([contender.step for contender in contenders], options.runs, synchronizer(options.device),
                       lambda items: progress(items, f'{label}, runs'))
    medians = [statistics.median(own) for own in times]
    rows = []
    for contender, own, median, peak, (seconds, error) in zip(contenders, times, medians, peaks, firsts):
        count = operations.get(contender.name, operations[OURS])
        pace = median / (size[0] * size[1])
        rows.append(Row(
            contender.name, median, min(own), max(own),
            times_as_fast=medians[0] / median,
            gmac=count / 2e9,
            of_floor=1000 * count / gemm / median,
            peak_mib=peak / 2**20,
            peak_ratio=peak / peaks[0],
            growth=pace / per_pixel.setdefault(contender.name, pace),
            error=error,
            compile_s=seconds if contender.compiled else None))
    return Section(*size, rows)


def take_turns(steps: Sequence[Callable[[], Any]], runs: int, synchronize: Callable[[], None],
               progress: Callable[[Iterable], Iterable] = iter) -> list[list[float]]:
    """Milliseconds of all counted runs of each step; every step runs once before any runs again."""
    times: list[list[float]] = [[] for _ in steps]
    for _ in progress(range(WARM_UP + runs)):
        for own, step in zip(times, steps):
            synchronize()
            start = time.perf_counter()
            step()
            synchronize()
            own.append(1000 * (time.perf_counter() - start))
    return [own[WARM_UP:] for own in times]


def _first_steps(contenders: Iterable[Contender]) -> list[tuple[float, Optional[float]]]:
    """Of each contender, the seconds of the first step, and the error of its outputs."""
    expected: Optional[list[Tensor]] = None
    found = []
    for contender in contenders:
        start = time.perf_counter()
        outputs = [y.float().cpu() for y in contender.step()]  # which waits for the device
        seconds = time.perf_counter() - start
        expected = expected or outputs
        found.append((seconds, None if contender.context else _error(outputs, expected)))
    return found


def _error(out: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    return max(((a - b).norm() / b.norm()).item() for a, b in zip(out, expected))


def _operations(contender: Contender) -> int:
    """Multiplications and additions of the step's products."""
    own = torch.ops.hrformer_mm
    formulas = {torch.ops.aten.convolution_backward: _conv_backward, own.attend: _attend,
                own.window_attention: partial(_window_attention, 2),
                own.window_attention_backward: lambda grad, *of, **_: _window_attention(4, *of[:3], *of[5:])}
    previous = set_block_backend('torch')  # whose operators the counter knows
    try:
        with FlopCounterMode(display=False, custom_mapping=formulas) as counter:
            contender.step()
    finally:
        set_block_backend(previous)
    return counter.get_total_flops()


def _conv_backward(grad: torch.Size, x: torch.Size, weight: torch.Size, *args: Any, out_shape: Any = None) -> int:
    """Torch's own formula takes the gradient of a depth-wise weight for that of a dense one."""
    wanted = args[-1]
    return 2 * math.prod(grad) * math.prod(weight[1:]) * (wanted[0] + wanted[1])


def _attend(windows: torch.Size, *args: Any, **kwargs: Any) -> int:
    """Of (3, windows, heads, L, D): q k^T, and its softmax times v."""
    return 4 * math.prod(windows[1:]) * windows[3]


def _window_attention(products: int, qkv: torch.Size, value: torch.Size, bias: Optional[torch.Size], heads: int,
                      window_size: Sequence[int], padding: Sequence[int], *args: Any, **kwargs: Any) -> int:
    """As many products for every pair of places of a padded window; what is made anew does not count."""
    places = qkv[0] * (qkv[1] + padding[0] + padding[1]) * (qkv[2] + padding[2] + padding[3])
    return 2 * products * places * math.prod(window_size) * (qkv[3] // 3)


def _peak(contender: Contender, options: Options, size: tuple[int, int]) -> int:
    image = options.batch * 3 * size[0] * size[1] * next(contender.model.parameters()).element_size()
    return held_bytes(contender.model) + image + peak_bytes(contender.step, options.device)
