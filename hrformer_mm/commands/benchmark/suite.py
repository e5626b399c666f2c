"""All that a GPU is asked for, in one run: attention alone, inference, small batches, training and its memory."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Optional

import torch
from rich import box
from rich.table import Table

from ...ops import set_attention_backend, set_block_backend
from .attention import PEER, benchmark_attention
from .benchmarking import Progress, benchmark
from .floors import step_bytes
from .kernels import choose_backends
from .machine import copy_bandwidth, environment, gemm_rate
from .options import Options

COMPILING = 200  # seconds that are to be left where models are compiled
# ViTPose's own table (arXiv 2204.12484): of equal average precision.
PUBLISHED = 'images a second at 256x192 on an A100, published with ViTPose: HRFormer-B 158, ViTPose-B 944'


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
        images_per_second (float, optional): Of the batch, by the median.
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
    images_per_second: Optional[float] = None
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
        backends (dict[str, str]): Of our attention and blocks, and why they are that.
    """
    options: Options
    environment: dict[str, Any]
    gemm_gflops: float
    copy_gbps: float
    backends: dict[str, str]
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
    backends = choose_backends(options.device)
    attention, blocks = (backends[of][0] for of in ('attention', 'blocks'))
    previous = set_attention_backend(attention), set_block_backend(blocks)
    done: list[Part] = []
    try:
        for name, part, with_kernels in _parts(options, large, small, batches, blocks == 'triton'):
            set_block_backend(blocks if with_kernels else 'torch')
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
        set_attention_backend(previous[0])
        set_block_backend(previous[1])
    return Suite(options, environment(options), gemm / 1e9, bandwidth / 1e9,
                 {of: f'{backend} ({reason})' for of, (backend, reason) in backends.items()},
                 time.monotonic() - start, done)


def _parts(options: Options, large: tuple[int, int], small: tuple[int, int], batches: tuple[int, int],
           kernels: bool) -> Iterator[tuple[str, Options, bool]]:
    """Names, what they run, and whether blocks have their kernels: where there are any, also what they do without."""
    few, many = batches
    at_large, at_small = (f'{height}x{width}' for height, width in (large, small))
    plain = replace(options, sizes=(large, ), batch=few, train=False, ocr=False, attention=False, context=False,
                    compile=False, deploy=True, graphs=options.device == 'cuda')
    inference = f'inference, {at_large}, batch {few}', plain
    training = f'training step, {at_large}, batch {few}', replace(plain, train=True, graphs=False)
    yield (f'window attention, stride 4 of {at_large}, batch {few}', replace(plain, attention=True, graphs=False),
           kernels)
    yield *inference, kernels
    yield f'inference, {at_small}, batch 1', replace(plain, sizes=(small, ), batch=1), kernels
    yield *training, kernels
    yield f'inference, {at_small}, batch {many}', replace(plain, sizes=(small, ), batch=many, graphs=False), kernels
    if kernels:
        for name, own in (inference, training):
            yield f"{name}, blocks of PyTorch's operators", own, False
    yield f'{inference[0]}, compiled', replace(plain, compile=True, graphs=False), kernels


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
                             floor / row.median_ms, row.error, 1000 * options.batch / row.median_ms, row.peak_mib,
                             row.peak_ratio))
    return rows


def part_table(part: Part) -> Table:
    """A row per contender."""
    made = Table(part.name, 'median ms', 'lowest', 'highest', 'times as fast', 'floor ms', 'of floor', 'error',
                 'images/s', 'peak MiB', 'ratio', box=box.SIMPLE)
    for column in made.columns[1:]:
        column.justify, column.no_wrap = 'right', True
    for row in part.rows:
        memory = ('', '') if row.peak_mib is None else (f'{row.peak_mib:.0f}', f'{row.peak_ratio:.2f}')
        made.add_row(row.name, f'{row.median_ms:.3f}', f'{row.lowest_ms:.3f}', f'{row.highest_ms:.3f}',
                     f'{row.times_as_fast:.2f}', f'{row.floor_ms:.3f}', f'{row.of_floor:.0%}',
                     '' if row.error is None else f'{row.error:.1e}',
                     '' if row.images_per_second is None else f'{row.images_per_second:.0f}', *memory,
                     style='bold' if row.times_as_fast > 1 and PEER not in row.name else None)
    if part.problem is not None:
        made.add_row(part.problem)
    return made


def suite_footnote(suite: Suite) -> str:
    """The machine's rates and what was run on what."""
    of = suite.environment
    return (f"HRFormer {suite.options.arch}, {suite.options.dtype}, attention {suite.backends['attention']}, blocks "
            f"{suite.backends['blocks']}; {of.get('gpu', of['cpu'])}, torch {of['torch']}; {suite.seconds:.0f} s\n"
            f'floor: matrix products {suite.gemm_gflops:.0f} GFLOP/s, copies {suite.copy_gbps:.1f} GB/s\n{PUBLISHED}')
