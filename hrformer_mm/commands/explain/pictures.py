"""Draw the pictures. Axes are in pixels of the network's input: x to the right, y down."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm, LogNorm, Normalize
from matplotlib.figure import Figure, FigureBase
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from .windows import Window, WindowGrid

STYLE: Any = {
    'font.size': 7.5,
    'axes.titlesize': 7.5,
    'axes.facecolor': 'silver',
    'xtick.labelsize': 6.5,
    'ytick.labelsize': 6.5,
    'image.interpolation': 'nearest',
}
PICTURES = ('overview.png', 'features.png', 'windows.png', 'attention.png', 'receptive_field.png')
WIDTH, DPI = 12, 150  # inches, and dots per inch: 1800 pixels
PIXEL, WINDOW, SQUARE = '#00e5ff', '#ff3355', '#ffd21f'
STROKE = [withStroke(linewidth=2, foreground='black')]  # outlines lines, so that they are visible on any image
FOOT = (
    'Axes in pixels. Blue: the pixel (+) and its position in the map. Red: its window. Dashed: the border of the map, '
    'inside of its padding.\nBranches: three principal components of the channels as red, green and blue. Yellow: '
    'squares that hold 50% and 95% of the gradient.\ndwconv: the 3x3 depth-wise convolution of the FFN.'
)


class Explanation(NamedTuple):
    """The content of the pictures."""

    about: dict[str, Any]  # explanation.json
    image: np.ndarray  # (H, W, 3), RGB, uint8
    grids: list[WindowGrid]  # of the block, for each branch of its stage
    components: list[np.ndarray]  # (H, W, 3), principal components of the last map of each branch
    fields: dict[str, dict[str, np.ndarray]]  # (H, W), of the block and the backbone, with and without convolution


def write(result: Explanation, folder: Path) -> dict[str, list[int]]:
    """Write all pictures into a folder; returns the width and height in pixels by file name."""
    about, ratio = result.about, min(max(result.image.shape[0] / result.image.shape[1], 0.5), 1.5)
    weights = Path(about['checkpoint']).name if about['trained'] else 'UNTRAINED WEIGHTS'
    heading = (
        f'{Path(about["config"]).name}, {weights}, on {Path(about["image"]["path"]).name}: pixel '
        f'{about["image"]["pixel"]}, stage {about["stage"]}, module {about["module"]}, block {about["block"]}, '
        f'branch {about["branch"]}'
    )
    rows, columns = (3 if about['attention']['bias'] else 1), max(len(about['attention']['probabilities']) + 2, 8)
    heights = {
        features: 2.3 * ratio + 0.5,
        windows: 3 * ratio + 0.5,
        attention: rows * (11 / columns + 0.3),
        receptive_field: 2.7 * max(ratio, 1) + 0.6,
    }  # in inches
    sizes = {}
    for name, draws in dict(overview=list(heights), **{draw.__name__: [draw] for draw in heights}).items():
        height = round(sum(heights[draw] for draw in draws) + 0.9, 1)
        with rc_context(STYLE):
            figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout='constrained')
            figure.suptitle(heading, fontsize=9)
            figure.supxlabel(FOOT, fontsize=7)
            parts = figure.subfigures(len(draws), 1, height_ratios=[heights[draw] for draw in draws], squeeze=False)
            for draw, part in zip(draws, parts.flat):
                draw(part, result)
            figure.savefig(folder / f'{name}.png')
        sizes[f'{name}.png'] = [WIDTH * DPI, round(height * DPI)]
    return sizes


def features(figure: FigureBase, result: Explanation) -> None:
    """Draw the maps of the four branches at the end of the backbone."""
    axes = figure.subplots(1, 5)
    show(axes[0], result.image, "the network's input")
    for at, (i, branch) in zip(axes[1:], enumerate(result.about['branches'])):
        before = '' if branch['is_output'] else '\nbefore the last exchange of branches'
        show(
            at,
            result.components[i],
            f'branch {i}: {branch["map"][1]}x{branch["map"][0]} positions, '
            f'{branch["channels"]} channels\n{sum(branch["variance_of_components"]):.0%} of variance shown{before}',
            branch['stride'],
        )


def windows(figure: FigureBase, result: Explanation) -> None:
    """Draw the windows of the block on each branch of its stage."""
    x, y = result.about['image']['pixel_seen']
    for i, (at, grid) in enumerate(zip(figure.subplots(1, len(result.grids)), result.grids)):
        (rows, columns), (height, width), s = grid.edges, grid.window_size, grid.stride
        show(
            at,
            result.image,
            f'branch {i}: {len(columns) - 1}x{len(rows) - 1} windows of {width}x{height} positions'
            f'{", shifted" if any(grid.shift) else ""}',
        )
        at.hlines([row * s for row in rows], columns[0] * s, columns[-1] * s, color='white', linewidth=0.6)
        at.vlines([column * s for column in columns], rows[0] * s, rows[-1] * s, color='white', linewidth=0.6)
        outline(at, Window(0, grid.size[0], 0, grid.size[1]).times(s), 'black', linestyle='--')
        outline(at, grid.window_of((y // s, x // s)).times(s), WINDOW, linewidth=1.8)
        at.plot(x + 0.5, y + 0.5, '+', color=PIXEL, path_effects=STROKE)
        at.set(xlim=(columns[0] * s, columns[-1] * s), ylim=(rows[-1] * s, rows[0] * s))


def attention(figure: FigureBase, result: Explanation) -> None:
    """Draw the attention of the pixel's position with and without the bias, and the bias: mean and each head."""
    found, grid = result.about['attention'], result.grids[result.about['branch']]
    maps: dict[str, tuple[Any, dict[str, Any]]] = {'attention': (found['probabilities'], dict(norm=Normalize(0)))}
    if found['bias'] is not None:
        maps['without the bias'] = found['without_bias'], dict(norm=Normalize(0))
        maps['position bias'] = found['bias'], dict(norm=CenteredNorm(), cmap='RdBu_r')
    window, (row, column), s = Window(**found['window']), found['position'], grid.stride
    count = len(found['probabilities']) + 2  # panels per row
    axes = figure.subplots(len(maps), max(count, 8), squeeze=False)
    for unused in axes[:, count:].flat:
        unused.remove()
    for panels, (name, (values, options)) in zip(axes[:, :count], maps.items()):
        values = np.array(values)
        options['norm'].autoscale_None(values)
        show(panels[0], result.image, 'the window')
        for i, (at, value) in enumerate(zip(panels[1:], [values.mean(0), *values])):
            shown = show(at, value, f'head {i - 1}' if i else 'mean', s, window, **options)
        for at in panels:
            outline(at, Window(0, grid.size[0], 0, grid.size[1]).times(s), 'white', linestyle=':', path_effects=STROKE)
            outline(at, Window(row, row + 1, column, column + 1).times(s), PIXEL, path_effects=STROKE)
            at.set(
                xlim=(window.left * s, window.right * s), ylim=(window.bottom * s, window.top * s), xticks=[], yticks=[]
            )
        figure.colorbar(shown, ax=panels, label=name)


def receptive_field(figure: FigureBase, result: Explanation) -> None:
    """Draw the effective receptive fields of the block, around its window, and of the whole backbone."""
    grid, (height, width) = result.grids[result.about['branch']], result.grids[result.about['branch']].window_size
    cases = [(kind, name) for kind, fields in result.fields.items() for name in fields]
    axes, s = figure.subplots(1, len(cases)), grid.stride
    for at, (kind, name) in zip(axes, cases):
        field, about = result.fields[kind][name], result.about['receptive_field'][kind]
        (row, column), cell, squares = about['position'], about['cell'], about[name]['squares']
        show(at, result.image, alpha=0.3)
        shown = show(
            at,
            np.ma.masked_equal(field / max(field.max(), 1e-300), 0),
            f'{kind} {name}\n{about[name]["outside_window"]:.1%} outside of the window\n'
            + ', '.join(f'{share} in {side}x{side} pixels' for share, side in squares.items()),
            cell,
            cmap='inferno',
            norm=LogNorm(1e-4, 1, clip=True),
        )
        x, y = column * s + cell / 2, row * s + cell / 2
        for half in (side / 2 for side in squares.values()):
            outline(at, Window(y - half, y + half, x - half, x + half), SQUARE)
        window = grid.window_of((row, column))
        outline(at, window.times(s), WINDOW, linewidth=1.8)
        outline(at, Window(row, row + 1, column, column + 1).times(s), PIXEL, path_effects=STROKE)
        if kind == 'block':
            at.set(
                xlim=((window.left - width) * s, (window.right + width) * s),
                ylim=((window.bottom + height) * s, (window.top - height) * s),
            )
    figure.colorbar(shown, ax=axes, label='gradient / its maximum')


def show(
    axes: Axes, values: np.ndarray, title: str = '', stride: int = 1, window: Window | None = None, **options: Any
) -> AxesImage:
    """Show the values of a map with this stride in a window; by default, in the whole map."""
    top, bottom, left, right = (window or Window(0, values.shape[0], 0, values.shape[1])).times(stride)
    axes.set_title(title)
    return axes.imshow(values, extent=(left, right, bottom, top), **options)


def outline(axes: Axes, window: Window, color: str, **options: Any) -> None:
    """Draw the outline of a window, in pixels."""
    axes.add_patch(
        Rectangle(
            (window.left, window.top),
            window.right - window.left,
            window.bottom - window.top,
            fill=False,
            edgecolor=color,
            **options,
        )
    )
