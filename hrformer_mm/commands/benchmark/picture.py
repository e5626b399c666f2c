"""A benchmark as a picture."""

from pathlib import Path
from typing import Union

from matplotlib.figure import Figure

from .benchmarking import Benchmark
from .report import footnote


def picture(result: Benchmark, path: Union[str, Path]) -> None:
    """Draw time against the area of the input, a line per contender, from lowest to highest, to a file."""
    figure = Figure(figsize=(8, 5), layout='constrained')
    axes = figure.add_subplot()
    sections = sorted(result.sections, key=lambda section: section.height * section.width)
    areas = [section.height * section.width for section in sections]
    for rows in zip(*(section.rows for section in sections)):
        medians = [row.median_ms for row in rows]
        spread = [[row.median_ms - row.lowest_ms for row in rows], [row.highest_ms - row.median_ms for row in rows]]
        axes.errorbar(areas, medians, yerr=spread, marker='o', markersize=4, capsize=3, label=rows[0].name)
    axes.set(xscale='log', yscale='log', xlabel='height x width', ylabel='ms')
    axes.set_xticks(areas, [f'{section.height}x{section.width}' for section in sections])
    axes.set_xticks([], minor=True)
    for which in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        which(lambda value, _: f'{value:g}')
    axes.set_title(footnote(result).splitlines()[0], fontsize='small')
    axes.grid(alpha=0.3, which='both')
    axes.legend(fontsize='small')
    figure.savefig(path, dpi=150)
