"""What one axes of a picture shows. Axes are in pixels of the image as it is seen: x to the right, y down."""

from typing import Any, Optional

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from .explanation import SHARES, Explanation, Field, Stream
from .grid import Window, WindowGrid
from .network import Picture
from .receptive_field import shares_of_squares, sides

SMALL, TEXT = 6.5, 7.5  # points
MARK, WINDOW, SQUARE = '#00e5ff', '#ff3355', '#ffd21f'  # the pixel or place; its window; squares that hold a share
LEAST = 1e-4  # of the largest gradient; what is less has the same colour
BEYOND = dict(facecolor='#e8e8e8', edgecolor='#a0a0a0', hatch='////', linewidth=0)
UNSEEN = dict(fill=True, zorder=0, facecolor='#c8c8c8', linewidth=0)  # what the map has beyond the image


def frame(axes: Axes, title: str, limits: Optional[tuple[float, float, float, float]] = None) -> None:
    """Title, ticks, and limits: left, right, bottom, top."""
    axes.set_title(title, fontsize=TEXT, pad=4)
    axes.set_anchor('N')
    axes.tick_params(labelsize=SMALL, length=2)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4, integer=True))
    if limits is not None:
        axes.set(xlim=limits[:2], ylim=limits[2:])


def draw_image(axes: Axes, picture: Picture, grey: bool = False) -> None:
    """The image, in its colours or as a pale background."""
    width, height = picture.size
    seen = picture.seen
    if grey:
        seen = 160 + 0.35 * seen.mean(2, keepdims=True).repeat(3, 2)
    axes.imshow(seen.astype(np.uint8), extent=(0, width, height, 0), interpolation='nearest')


def draw_pixel(axes: Axes, picture: Picture) -> None:
    x, y = picture.pixel
    axes.plot(x + 0.5, y + 0.5, '+', color='black', markersize=9, markeredgewidth=2.6, zorder=3)
    axes.plot(x + 0.5, y + 0.5, '+', color=MARK, markersize=8, markeredgewidth=1.3, zorder=3)


def outline(axes: Axes, window: Window, stride: int, **style: Any) -> None:
    """A line around a window; the map's places are `stride` pixels high and wide."""
    axes.add_patch(Rectangle((window.left * stride, window.top * stride), (window.right - window.left) * stride,
                             (window.bottom - window.top) * stride, **{'fill': False, **style}))


def draw_lines(axes: Axes, grid: WindowGrid, **style: Any) -> None:
    """The borders of all windows."""
    rows, columns = ([edge * grid.stride for edge in edges] for edges in (grid.rows, grid.columns))
    axes.hlines(rows, columns[0], columns[-1], **style)
    axes.vlines(columns, rows[0], rows[-1], **style)


def draw_components(axes: Axes, stream: Stream, number: int, picture: Picture) -> None:
    """Three principal components as red, green and blue."""
    (h, w), s = stream.size, stream.stride
    axes.imshow(stream.colours, extent=(0, w * s, h * s, 0), interpolation='nearest')
    frame(axes, f'stream {number}: {w}x{h} places, stride {s}\n'
          f'{stream.channels} channels, {sum(stream.variance):.0%} of variance shown',
          (0, picture.size[0], picture.size[1], 0))


def draw_mean(axes: Axes, stream: Stream, picture: Picture) -> Any:
    """The mean over the channels; returns what a colour bar is made for."""
    (h, w), s = stream.size, stream.stride
    shown = axes.imshow(stream.mean, extent=(0, w * s, h * s, 0), interpolation='nearest', cmap='viridis')
    frame(axes, '', (0, picture.size[0], picture.size[1], 0))
    return shown


def draw_windows(axes: Axes, result: Explanation, number: int) -> None:
    """The windows of a stream on the image, with what they reach beyond the map."""
    grid, picture, s = result.grids[number], result.picture, result.grids[number].stride
    (h, w), rows, columns = grid.size, grid.rows, grid.columns
    outline(axes, Window(rows[0], rows[-1], columns[0], columns[-1]), s, fill=True, zorder=0, **BEYOND)
    outline(axes, Window(0, h, 0, w), s, **UNSEEN)
    draw_image(axes, picture)
    draw_lines(axes, grid, color='black', linewidth=1.1, alpha=0.55)
    draw_lines(axes, grid, color='white', linewidth=0.5)
    outline(axes, Window(0, h, 0, w), s, edgecolor='black', linewidth=1.2, linestyle=(0, (2, 1.5)))
    own = grid.window_of(grid.place_of(picture.pixel))
    outline(axes, own, s, edgecolor=WINDOW, linewidth=1.8, zorder=3)
    draw_pixel(axes, picture)
    margin = 0.01 * max(picture.size)
    frame(axes, f'stream {number}: {len(columns) - 1}x{len(rows) - 1} windows of {grid.window[1]}x{grid.window[0]}\n'
          f'map {w}x{h}, ' + (f'padded to {columns[-1] - columns[0]}x{rows[-1] - rows[0]}' if any(grid.padding)
                             else 'no padding') + (', shifted' if any(grid.shift) else ''),
          (columns[0] * s - margin, columns[-1] * s + margin, rows[-1] * s + margin, rows[0] * s - margin))


def draw_crop(axes: Axes, result: Explanation) -> None:
    """The image in the pixel's window."""
    window, s, (h, w) = result.attention.window, result.grid.stride, result.grid.size
    outline(axes, window, s, fill=True, zorder=0, **BEYOND)
    outline(axes, Window(0, h, 0, w), s, **UNSEEN)
    draw_image(axes, result.picture)
    draw_place(axes, result)
    frame(axes, f'its window, {window.right - window.left}x{window.bottom - window.top}\nplaces of {s}x{s} pixels',
          (window.left * s, window.right * s, window.bottom * s, window.top * s))
    axes.set(xticks=[], yticks=[])


def draw_place(axes: Axes, result: Explanation, place: Optional[tuple[int, int]] = None) -> None:
    """A line around a place of the block's map, by default the pixel's."""
    row, column = result.attention.place if place is None else place
    cell = Window(row, row + 1, column, column + 1)
    outline(axes, cell, result.grid.stride, edgecolor='black', linewidth=2.4, zorder=3)
    outline(axes, cell, result.grid.stride, edgecolor=MARK, linewidth=1.4, zorder=3)


def draw_weights(axes: Axes, result: Explanation, values: np.ndarray, title: str, norm: Normalize, cmap: str) -> Any:
    """One value for each place of the pixel's window, those of the padding hatched; returns it for a colour bar."""
    window, s = result.attention.window, result.grid.stride
    shown = axes.imshow(values, norm=norm, cmap=cmap, interpolation='nearest',
                        extent=(window.left * s, window.right * s, window.bottom * s, window.top * s))
    top, left = max(window.top, 0), max(window.left, 0)
    bottom, right = min(window.bottom, result.grid.size[0]), min(window.right, result.grid.size[1])
    for part in (Window(window.top, top, window.left, window.right), Window(top, bottom, window.left, left),
                 Window(top, bottom, right, window.right), Window(bottom, window.bottom, window.left, window.right)):
        if part.top < part.bottom and part.left < part.right:
            outline(axes, part, s, edgecolor='#909090', hatch='////', linewidth=0)
    draw_place(axes, result)
    frame(axes, title)
    axes.set(xticks=[], yticks=[])
    return shown


def draw_field(axes: Axes, result: Explanation, field: Field, with_dwconv: bool, title: str) -> Any:
    """A gradient's magnitude as a part of its largest, clear where it is zero; returns it for a colour bar."""
    values, s = field.values[with_dwconv], field.stride
    values = values / max(values.max(), 1e-300)
    draw_image(axes, result.picture, grey=True)
    h, w = values.shape
    shown = axes.imshow(np.ma.masked_equal(values, 0), norm=LogNorm(LEAST, 1, clip=True), cmap='inferno',
                        interpolation='nearest', extent=(0, w * s, h * s, 0))
    frame(axes, title)
    return shown


def draw_block_field(axes: Axes, result: Explanation, with_dwconv: bool) -> Any:
    """Of a block, around its window."""
    field, grid, s = result.block_field, result.grid, result.grid.stride
    part = field.outside(with_dwconv, grid)
    shown = draw_field(axes, result, field, with_dwconv, f'one block, {variant(field, with_dwconv)}:\n' +
                       (f'{part:.1%} is outside of the window' if part else 'nothing is outside of the window'))
    near, (high, wide) = grid.window_of(field.place), grid.window
    draw_lines(axes, grid, color='white', linewidth=0.7)
    outline(axes, near, s, edgecolor=WINDOW, linewidth=1.8, zorder=3)
    draw_place(axes, result, field.place)
    axes.set(xlim=(max(near.left - wide, grid.columns[0]) * s, min(near.right + wide, grid.columns[-1]) * s),
             ylim=(min(near.bottom + high, grid.rows[-1]) * s, max(near.top - high, grid.rows[0]) * s),
             facecolor='#e8e8e8')
    return shown


def draw_backbone_field(axes: Axes, result: Explanation, with_dwconv: bool) -> Any:
    """Of the whole backbone, with the squares that hold parts of it."""
    field = result.field
    lengths = sides(field.values[with_dwconv], field.centre, SHARES)
    texts = ', '.join(f'{share:.0%} in {side}x{side}' for share, side in zip(SHARES, lengths))
    shown = draw_field(axes, result, field, with_dwconv, f'backbone, {variant(field, with_dwconv)}:\n{texts}')
    row, column = field.centre
    for side in lengths:
        axes.add_patch(Rectangle((column + 0.5 - side / 2, row + 0.5 - side / 2), side, side, fill=False,
                                 edgecolor=SQUARE, linewidth=1))
    axes.set(xlim=(0, result.input_size[0]), ylim=(result.input_size[1], 0))
    return shown


def variant(field: Field, with_dwconv: bool) -> str:
    """What tells the two networks apart; some models have no convolution to leave out."""
    if len(field.values) == 1:
        return 'built without dw. conv.'
    return 'with the dw. conv.' if with_dwconv else 'without the dw. conv.'


def draw_shares(axes: Axes, result: Explanation) -> None:
    """How much of the backbone's gradient lies in squares around the pixel."""
    for with_dwconv, values in result.field.values.items():
        parts = 100 * shares_of_squares(values, result.field.centre)
        axes.plot(2 * np.arange(len(parts)) + 1, parts, label=variant(result.field, with_dwconv),
                  color='#c02070' if with_dwconv else '#3060c0', linewidth=1.5)
    frame(axes, 'backbone: gradient within\na square around the pixel, %')
    axes.set_xlabel('side of the square, pixels', fontsize=SMALL)
    axes.set(ylim=(0, 103), xlim=(0, None), yticks=(0, 25, 50, 75, 100))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=SMALL, loc='lower right')
