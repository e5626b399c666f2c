"""Curves as SVG that stands in a page: its colours are the page's, light or dark, and its text is text."""

import io
import math
import re
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .training import Curve

SERIES = 6  # colours of the page, --series-0 and so on
# Colours that nothing else has stand for variables of the page's style sheet.
_INK, _FAINT, _LINE = '#010101', '#010102', '#010103'
_COLOURS = tuple(f'#0102{number:02x}' for number in range(SERIES))
_VARIABLES = {_INK: 'var(--ink)', _FAINT: 'var(--faint)', _LINE: 'var(--line)',
              **{colour: f'var(--series-{number})' for number, colour in enumerate(_COLOURS)}}
# Curves differ in their dashes too, for eyes and printers without colours.
_DASHES = ('-', '--', '-.', ':')
_STYLE = {
    'svg.fonttype': 'none', 'svg.hashsalt': '', 'font.family': 'sans-serif', 'font.size': 9.0,
    'text.color': _INK, 'axes.labelcolor': _INK, 'axes.edgecolor': _FAINT, 'xtick.color': _FAINT, 'ytick.color': _FAINT,
    'xtick.labelcolor': _INK, 'ytick.labelcolor': _INK, 'grid.color': _LINE, 'grid.linewidth': 0.8,
    'axes.spines.top': False, 'axes.spines.right': False, 'axes.grid': True, 'axes.axisbelow': True,
}
_LOG_FROM = 30  # a ratio of the highest to the lowest value, from which on the axis is logarithmic
_LEGEND = 118  # characters beside each other, each curve's line taking nine


def is_logarithmic(curves: Sequence[Curve]) -> bool:
    """Whether the values are all positive and so far apart that a linear axis would hide the small ones."""
    values = [y for curve in curves for y in curve.y if math.isfinite(y)]
    return bool(values) and min(values) > 0 and max(values) > _LOG_FROM * min(values)


def running_mean(curve: Curve, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Means of so many values next to each other, at the middle of their x; the ends are left out."""
    mean = np.ones(window) / window
    return np.convolve(curve.x, mean, 'valid'), np.convolve(curve.y, mean, 'valid')


def plot(curves: Sequence[Curve], x_label: str, y_label: str, name: str, starts: Sequence[tuple[float, str]] = (),
         scale: str = 'linear', window: int = 0) -> str:
    """Draw curves over a common x axis as an <svg> element.

    Args:
        curves (Sequence[Curve]): At least one.
        x_label, y_label (str): Of the axes.
        name (str): What the picture is, for those who do not see it.
        starts: (x, text) of vertical lines.
        scale (str): Of the values: 'linear', 'log', or 'zero', which is linear and begins at 0.
        window (int): So many values make one of a running mean, which is drawn over the curve; 0 for none.
    """
    with matplotlib.rc_context({**_STYLE, 'svg.hashsalt': name}):  # ids differ from plot to plot
        figure = Figure(figsize=(8.2, 3.1), layout='constrained')
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        for number, curve in enumerate(curves):
            style = dict(color=_COLOURS[number % SERIES], linestyle=_DASHES[number % len(_DASHES)])
            faint = dict(linewidth=0.6, alpha=0.35, linestyle='-') if window else dict(linewidth=1.7)
            marks = dict(marker='o' if len(curve.x) <= 24 else None, markersize=3.5)
            axes.plot(curve.x, curve.y, **{**style, **faint, **marks}, label=None if window else curve.name,
                      gid=f'curve-{number}')
            if window:
                axes.plot(*running_mean(curve, window), **style, linewidth=1.7, label=curve.name)
        if scale == 'zero':
            axes.set_ylim(bottom=0)
        elif scale == 'log':
            axes.set_yscale('log')
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
        if len({x for curve in curves for x in curve.x}) == 1:
            axes.set_xticks(curves[0].x)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.margins(x=0.02)
        for x, text in starts:
            axes.axvline(x, color=_FAINT, linewidth=1, linestyle=(0, (2, 2)))
            axes.annotate(text, (x, 1), xycoords=axes.get_xaxis_transform(), xytext=(4, -2), textcoords='offset points',
                          va='top', fontsize=8, color=_FAINT)
        if len(curves) > 1:
            columns = max(1, _LEGEND // (max(len(curve.name) for curve in curves) + 9))
            figure.legend(loc='outside upper left', ncols=min(len(curves), columns), frameon=False, handlelength=2.6)
        file = io.StringIO()
        nothing = dict.fromkeys(('Date', 'Creator', 'Format', 'Type'))
        figure.savefig(file, format='svg', transparent=True, metadata=nothing)
    return _for_page(file.getvalue(), name)


def _for_page(svg: str, name: str) -> str:
    svg = svg[svg.index('<svg'):]
    svg = re.sub(r'<metadata>.*?</metadata>', '', svg, flags=re.DOTALL)
    # Nothing refers to groups, and their ids would be there twice.
    svg = re.sub(r'<g id="(?!curve-)[^"]*">', '<g>', svg)
    svg = svg.replace('id="curve-', 'class="curve-')
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    box = re.search(r'viewBox="[^"]+"', svg)[0]
    return re.sub(r'<svg[^>]*>', lambda _: f'<svg {box} xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
                  f'aria-label="{name}">', svg, count=1).strip()
