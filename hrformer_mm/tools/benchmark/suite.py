"""All that a GPU is asked for, in one run: attention alone, inference, small batches, training and its memory."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Optional

import torch
from rich import box
from rich.table import Table

from ...kernels import usable
from ...ops import set_attention_backend, window_attention
from .attention import PEER, WINDOWS, benchmark_attention
from .floors import step_bytes
from .machine import copy_bandwidth, environment, gemm_rate
from .options import Options
from .run import Progress, benchmark

COMPILING = 200  # seconds that are to be left where models are compiled
BOUND = 1e-2  # for kernels in 16 bits against float64


@dataclass(frozen=True)
class SuiteRow:
    """What a contender costs.

    Args:
        name (str): The contender's.
        median_ms, lowest_ms, highest_ms (float): Over the counted runs.
        times_as_fast (float): The median of mmpose's over this one's.
        floor_ms (float): What the step takes at least at the rates of this run: reading and writing every map once, see
            :func:`~.floors.step_bytes`, or its products, whichever is more.
        of_floor (float): That over the median.
        error (float, optional): Of outputs, to mmpose's; of attention to float64, with gradients.
        peak_mib, peak_ratio (float, optional): Most memory of tensors at a time, and the ratio to mmpose's.
    """
    name: str
    median_ms: float
    lowest_ms: float
    highest_ms: float
    times_as_fast: float
    floor_ms: float
    of_floor: float
    error: Optional[float]
    peak_mib: Optional[float] = None
    peak_ratio: Optional[float] = None


@dataclass(frozen=True)
class Part:
    """A table of the suite, or why there is none."""
    name: str
    seconds: float
    rows: Sequence[SuiteRow]
    problem: Optional[str] = None


@dataclass(frozen=True)
class Suite:
    """All parts, the machine's rates, and what was run on what.

    Args:
        backend (str): Of our attention, and why it is that.
    """
    options: Options
    environment: dict[str, Any]
    gemm_gflops: float
    copy_gbps: float
    backend: str
    seconds: float
    parts: Sequence[Part]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def benchmark_suite(options: Options, budget: float, large: tuple[int, int] = (512, 1024),
                    small: tuple[int, int] = (256, 192), batches: tuple[int, int] = (2, 64),
                    on_part: Callable[[Part], Any] = lambda part: None,
                    progress: Progress = lambda items, _: items) -> Suite:
    """Measure what fits into `budget` seconds, what matters most first; a part that fails does not stop the others.

    Args:
        options (Options): Variant, dtype, device, and runs; the rest is the suite's.
        budget (float): No part is begun after so many seconds, and none that compiles `COMPILING` before.
        large, small (tuple[int, int]): Sizes of images, for inference and training, and for one image and many.
        batches (tuple[int, int]): Images at a time, of the large and the small.
        on_part (callable): Is given every part when it is done.
        progress (callable): As for :func:`~.run.benchmark`.
    """
    start = time.monotonic()
    gemm, bandwidth = gemm_rate(options.device, options.torch_dtype), copy_bandwidth(options.device)
    backend, reason = choose_backend(options.device)
    previous = set_attention_backend(backend)
    done: list[Part] = []
    try:
        for name, part in _parts(options, large, small, batches):
            begun = time.monotonic()
            left, problem, rows = budget - (begun - start), None, []
            if left <= (COMPILING if part.compile else 0):
                problem = f'left out: {max(left, 0):.0f} of {budget:.0f} seconds are left'
            else:
                try:
                    rows = _rows(part, gemm, bandwidth, progress)
                except Exception as error:  # of whatever kind: the card is held for all parts
                    problem = f'failed: {type(error).__name__}: {error}'
            if options.device == 'cuda':
                torch.cuda.empty_cache()
            done.append(Part(name, time.monotonic() - begun, rows, problem))
            on_part(done[-1])
    finally:
        set_attention_backend(previous)
    return Suite(options, environment(options), gemm / 1e9, bandwidth / 1e9, f'{backend} ({reason})',
                 time.monotonic() - start, done)


def _parts(options: Options, large: tuple[int, int], small: tuple[int, int],
           batches: tuple[int, int]) -> Iterator[tuple[str, Options]]:
    few, many = batches
    at_large, at_small = (f'{height}x{width}' for height, width in (large, small))
    plain = replace(options, sizes=(large, ), batch=few, train=False, ocr=False, attention=False, context=False,
                    compile=False, deploy=True, graphs=options.device == 'cuda')
    yield f'window attention, stride 4 of {at_large}, batch {few}', replace(plain, attention=True, graphs=False)
    yield f'inference, {at_large}, batch {few}', plain
    yield f'inference, {at_small}, batch 1', replace(plain, sizes=(small, ), batch=1)
    yield f'training step, {at_large}, batch {few}', replace(plain, train=True, graphs=False)
    yield f'inference, {at_small}, batch {many}', replace(plain, sizes=(small, ), batch=many, graphs=False)
    yield f'inference, {at_large}, batch {few}, compiled', replace(plain, compile=True, graphs=False)


def choose_backend(device: str) -> tuple[str, str]:
    """Triton's kernels where they run and are right here, else what is taken without them; and why."""
    on = torch.device(device, torch.cuda.current_device()) if device == 'cuda' else torch.device(device)
    if device != 'cuda' or not usable(on):
        return 'auto', 'the Triton kernels do not run here'
    try:
        error = max(_kernel_error(on, window) for window in WINDOWS)
    except Exception as failure:  # a compiler or driver that does not know the card fails in its own way
        return 'auto', f'the Triton kernels fail: {type(failure).__name__}: {failure}'
    if not error < BOUND:
        return 'auto', f'the Triton kernels are wrong by {error:.1e}'
    return 'triton', f'error {error:.1e}'


def _kernel_error(device: torch.device, window: int) -> float:
    """Of output and gradients of two heads of 39 channels, to the formula in float64; over their norms."""
    shapes = (1, 2 * window - 1, 2 * window + 3, 234), (234, ), (2, window**2, window**2)
    inputs = [torch.randn(shape, device=device).bfloat16() for shape in shapes]
    found = []
    for backend, dtype in (('triton', torch.bfloat16), ('plain', torch.float64)):
        leaves = [x.detach().to(dtype).requires_grad_() for x in inputs]
        previous = set_attention_backend(backend)
        try:
            out = window_attention(leaves[0], leaves[1], 2, (window, window), leaves[2])
        finally:
            set_attention_backend(previous)
        found.append([out, *torch.autograd.grad(out.square().sum(), leaves)])
    errors = [((a - b).norm() / b.norm()).item() for a, b in zip(*found)]
    return max(errors) if all(map(math.isfinite, errors)) else math.inf


def _rows(options: Options, gemm: float, bandwidth: float, progress: Progress) -> list[SuiteRow]:
    if options.attention:
        return [SuiteRow(f'{row.window}x{row.window} {row.what}, {row.name}', row.median_ms, row.lowest_ms,
                         row.highest_ms, row.times_as_fast, row.of_floor * row.median_ms, row.of_floor, row.error)
                for row in benchmark_attention(options).rows]
    section, = benchmark(options, progress).sections
    moved = 1000 * step_bytes(options, options.sizes[0]) / bandwidth
    rows = []
    for row in section.rows:
        floor = max(moved, 1000 * 2e9 * row.gmac / gemm)
        rows.append(SuiteRow(row.name, row.median_ms, row.lowest_ms, row.highest_ms, row.times_as_fast, floor,
                             floor / row.median_ms, row.error, row.peak_mib, row.peak_ratio))
    return rows


def part_table(part: Part) -> Table:
    """A row per contender."""
    made = Table(part.name, 'median ms', 'lowest', 'highest', 'times as fast', 'floor ms', 'of floor', 'error',
                 'peak MiB', 'ratio', box=box.SIMPLE)
    for column in made.columns[1:]:
        column.justify, column.no_wrap = 'right', True
    for row in part.rows:
        memory = ('', '') if row.peak_mib is None else (f'{row.peak_mib:.0f}', f'{row.peak_ratio:.2f}')
        made.add_row(row.name, f'{row.median_ms:.3f}', f'{row.lowest_ms:.3f}', f'{row.highest_ms:.3f}',
                     f'{row.times_as_fast:.2f}', f'{row.floor_ms:.3f}', f'{row.of_floor:.0%}',
                     '' if row.error is None else f'{row.error:.1e}', *memory,
                     style='bold' if row.times_as_fast > 1 and PEER not in row.name else None)
    if part.problem is not None:
        made.add_row(part.problem)
    return made


def suite_footnote(suite: Suite) -> str:
    """The machine's rates and what was run on what."""
    of = suite.environment
    return (f"HRFormer {suite.options.arch}, {suite.options.dtype}, attention {suite.backend}; "
            f"{of.get('gpu', of['cpu'])}, torch {of['torch']}; {suite.seconds:.0f} s\n"
            f'floor: matrix products {suite.gemm_gflops:.0f} GFLOP/s, copies {suite.copy_gbps:.1f} GB/s')
