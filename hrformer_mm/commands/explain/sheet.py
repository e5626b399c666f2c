"""A page of panels, laid out in inches."""

import textwrap
from pathlib import Path
from typing import Any, Optional

from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .explanation import Explanation
from .panels import SMALL, TEXT

WIDTH, DPI = 12.0, 150  # inches, and dots in each: 1800 pixels
LEFT, RIGHT, HEAD, FOOT = 0.75, 0.45, 0.75, 0.5  # inches around the panels
TITLE, TICKS, BAR = 0.36, 0.3, 0.7  # above a row; below it, without colour bars and with them


class Sheet:
    """A picture that is filled row by row.

    Args:
        result (Explanation): What the head tells about.
        title (str): The first line.
        rows (list[tuple[float, float]]): The height of each row's panels, and of what is below them, in inches.
        foot (str): What the signs mean.
    """

    def __init__(self, result: Explanation, title: str, rows: list[tuple[float, float]], foot: str) -> None:
        self.rows = rows
        self.height = round(HEAD + sum(TITLE + height + below for height, below in rows) + FOOT, 1)
        self.figure = Figure(figsize=(WIDTH, self.height))
        self._write(WIDTH / 2, 0.1, title, fontsize=13, fontweight='bold')
        self._write(WIDTH / 2, 0.4, _about(result), fontsize=8.5)
        self._write(WIDTH / 2, self.height - 0.42, foot, fontsize=TEXT, linespacing=1.4)

    def _write(self, x: float, y: float, text: str, **style: Any) -> None:
        self.figure.text(x / WIDTH, 1 - y / self.height, text, **{'ha': 'center', 'va': 'top', **style})

    def top(self, row: int) -> float:
        """Where a row's panels begin, in inches from above."""
        return HEAD + TITLE + sum(TITLE + height + below for height, below in self.rows[:row])

    def add(self, row: int, left: float, width: float, height: Optional[float] = None, below: float = 0) -> Axes:
        """Axes in a row: `left` and `width` in inches, and if need be `height`, and how far `below` the row's top."""
        height = self.rows[row][0] if height is None else height
        bottom = self.height - self.top(row) - below - height
        return self.figure.add_axes((left / WIDTH, bottom / self.height, width / WIDTH, height / self.height))

    def row(self, row: int, columns: int, label: str = '', gap: float = 0.42) -> list[Axes]:
        """Axes of equal width from left to right."""
        if label:
            self._write(0.12, self.top(row) + self.rows[row][0] / 2, label, rotation=90, va='center', ha='left',
                        fontsize=9, fontweight='bold')
        width = panel_width(columns, gap)
        return [self.add(row, LEFT + i * (width + gap), width) for i in range(columns)]


def panel_width(columns: int, gap: float = 0.42) -> float:
    """Of each of so many panels in a row, in inches."""
    return (WIDTH - LEFT - RIGHT - gap * (columns - 1)) / columns


def colour_bar(axes: Axes, shown: Any, label: str, below: bool = False) -> None:
    """Right of the axes or below it."""
    axes.apply_aspect()
    width, height = (side / axes.figure.dpi for side in axes.get_window_extent().size)
    bar = axes.inset_axes((0, -0.36 / height, 1, 0.08 / height) if below else (1 + 0.08 / width, 0, 0.09 / width, 1))
    drawn = axes.figure.colorbar(shown, cax=bar, orientation='horizontal' if below else 'vertical')
    drawn.set_label(label, fontsize=SMALL, labelpad=2)
    if not isinstance(shown.norm, LogNorm):
        drawn.locator = MaxNLocator(4)
    bar.tick_params(labelsize=SMALL, length=2)


def explain_in(axes: Axes, text: str) -> None:
    """Words in the place of a panel."""
    axes.set_axis_off()
    width = axes.get_window_extent().width / axes.figure.dpi
    paragraphs = [textwrap.fill(part, int(width * 16)) for part in text.split('\n')]
    axes.text(0, 1, '\n\n'.join(paragraphs), va='top', fontsize=TEXT, transform=axes.transAxes, linespacing=1.4)


def _about(result: Explanation) -> str:
    picture = result.picture
    (x, y), (width, height) = picture.given_pixel, picture.given
    weights = Path(result.checkpoint).name if result.trained else 'UNTRAINED WEIGHTS'
    seen = '' if picture.size == picture.given else f', seen as {picture.size[0]}x{picture.size[1]}'
    return (f'{Path(result.config).name}, {weights};  {Path(picture.path).name}, {width}x{height} pixels{seen};  '
            f'pixel {x}, {y};  {result.where}')
