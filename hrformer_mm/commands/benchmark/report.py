"""A benchmark as a table."""

from collections.abc import Callable, Sequence
from typing import Optional, Union

from rich import box
from rich.table import Table

from .attention import AttentionBenchmark
from .benchmarking import Benchmark, Row

# A heading, and what stands below it; None leaves a row's place empty.
Column = tuple[str, Callable[[Row], Optional[str]]]


def table(result: Benchmark) -> Table:
    """A section per size, a row per contender."""
    rows = [row for section in result.sections for row in section.rows]
    shown = _columns(rows, several=len(result.sections) > 1)
    made = Table('', *(heading for heading, _ in shown), box=box.SIMPLE)
    for column in made.columns:
        column.no_wrap = True
    for column in made.columns[1:]:
        column.justify = 'right'
    for section in result.sections:
        made.add_row(f'{section.height}x{section.width}, {section.rows[0].gmac:.1f} GMAC', style='bold')
        for row in section.rows:
            made.add_row(row.name, *(text(row) or '' for _, text in shown))
        made.add_section()
    return made


def _columns(rows: Sequence[Row], several: bool) -> list[Column]:
    columns: list[Column] = [
        ('median ms', lambda row: f'{row.median_ms:.1f}'),
        ('lowest', lambda row: f'{row.lowest_ms:.1f}'),
        ('highest', lambda row: f'{row.highest_ms:.1f}'),
        ('times as fast', lambda row: f'{row.times_as_fast:.2f}'),
        ('of floor', lambda row: f'{row.of_floor:.0%}'),
        ('peak MiB', lambda row: f'{row.peak_mib:.0f}'),
        ('ratio', lambda row: f'{row.peak_ratio:.2f}'),
        ('error', lambda row: None if row.error is None else f'{row.error:.1e}'),
    ]
    if several:
        columns.append(('growth', lambda row: f'{row.growth:.2f}'))
    if any(row.compile_s is not None for row in rows):
        columns.append(('compile s', lambda row: None if row.compile_s is None else f'{row.compile_s:.0f}'))
    return columns


def footnote(result: Union[Benchmark, AttentionBenchmark]) -> str:
    """The machine's rates and what was run on what."""
    of, options = result.environment, result.options
    where = of['gpu'] if options.device == 'cuda' else f"{of['cpu']}, {of['threads']} threads"
    what = 'window attention' if options.attention else 'training step' if options.train else 'inference'
    return (f"{what}, HRFormer {options.arch}{' + OCR' if options.ocr else ''}, batch {options.batch}, {options.dtype}; "
            f"{where}, torch {of['torch']}\n"
            f'floor: matrix products {result.gemm_gflops:.0f} GFLOP/s, copies {result.copy_gbps:.1f} GB/s')
