"""Draw curves and pictures as data URLs, which a page can embed."""

import base64
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from .training import Curve

_STYLE: Any = {
    'svg.fonttype': 'none',
    'font.size': 9,
    'axes.grid': True,
    'grid.alpha': 0.4,
    'text.usetex': False,
    'text.parse_math': False,  # names in a log are plain text, regardless of matplotlibrc
}
_LOG_RATIO = 30  # ratio of the highest to the lowest loss above which the axis is logarithmic


def plot(curves: Sequence[Curve], x_label: str, starts: Sequence[tuple[str, int]] = (), log: bool = False) -> str:
    """Draw curves over a common axis, and a vertical line at each (name, position) of `starts`.

    With `log`, the axis is logarithmic if the values are positive and far apart.
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(8.2, 3.1), layout='constrained')
        axes = figure.add_subplot(xlabel=x_label)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
        lines = [
            axes.plot(curve.x, curve.y, marker='o' if len(curve.x) <= 24 else None, markersize=3.5)[0]
            for curve in curves
        ]
        figure.legend(lines, [curve.name for curve in curves], loc='outside upper left', ncols=4, frameon=False)
        values = [y for curve in curves for y in curve.y if math.isfinite(y)]
        if log and values and 0 < min(values) * _LOG_RATIO < max(values):
            axes.set_yscale('log')
        for name, x in starts:
            axes.axvline(x, color='gray', linewidth=1, linestyle=':')
            axes.annotate(
                f'{name} resumed',
                (x, 1),
                xycoords=('data', 'axes fraction'),
                xytext=(3, -3),
                textcoords='offset points',
                va='top',
                fontsize=8,
            )
        file = io.BytesIO()
        figure.savefig(file, format='svg', transparent=True)
    return _data_url('svg+xml', file.getvalue())


def picture(path: Path) -> str:
    """Return a PNG or JPEG file as a data URL, shrunk to at most 960x720 pixels."""
    file = io.BytesIO()
    # Pillow detects the format from the content, and would run Ghostscript for EPS.
    with Image.open(path, formats=('PNG', 'JPEG')) as image:
        shrunk = image.convert('RGB')
        shrunk.thumbnail((960, 720))
        shrunk.save(file, 'jpeg', quality=80)
    return _data_url('jpeg', file.getvalue())


def _data_url(kind: str, data: bytes) -> str:
    return f'data:image/{kind};base64,{base64.b64encode(data).decode()}'
