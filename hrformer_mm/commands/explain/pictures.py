"""The pictures, each one file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.colors import Normalize, TwoSlopeNorm
from matplotlib.figure import Figure

from .explanation import Explanation
from .panels import (
    TEXT,
    draw_backbone_field,
    draw_block_field,
    draw_components,
    draw_crop,
    draw_image,
    draw_mean,
    draw_pixel,
    draw_shares,
    draw_weights,
    draw_windows,
    frame,
)
from .sheet import BAR, DPI, LEFT, RIGHT, TICKS, WIDTH, Sheet, colour_bar, explain_in, panel_width

HEADS = 8  # in a row
COMPONENTS = ('Above: the three first principal components of the channels as red, green and blue, each from its 1st '
              'to its 99th percentile.\nBelow: the mean of the channels.')
CROSSING = ('Attention stays within a window. The 3x3 depth-wise convolution after it looks one place further: the '
            'output at the corner of a window then depends on all windows that meet there.\nWithout the convolution it '
            'depends on its own window alone, whatever the weights are. In the whole backbone the stem and the '
            'exchange between streams cross borders, too.')
SIGNS = 'Blue: the pixel (+) and its place in the map. Red: its window. Hatched: what pads the map to whole windows.'
GRADIENT = 'gradient, part of its largest'
LABELS = {'attention': 'probability', 'without the bias': 'probability', 'bias': 'added before softmax'}


def write(result: Explanation, path: Path) -> list[int]:
    """Draw the picture of this file's name; returns its width and height in pixels."""
    figure = PICTURES[path.name](result)
    figure.savefig(path, dpi=DPI)
    return [round(side * DPI) for side in figure.get_size_inches()]


def overview(result: Explanation) -> Figure:
    """A part of each of the others."""
    width = panel_width(5)
    sheet = Sheet(result, 'HRFormer on an image', [(width * _form(result), TICKS), (width, BAR), (width, BAR)],
                  f'{SIGNS}\nYellow: squares that hold 50% and 95% of the gradient. dw. conv.: the 3x3 depth-wise '
                  'convolution of the FFN. Axes in pixels.')
    _features(result, sheet.row(0, 5, 'feature maps'))

    axes = sheet.row(1, 5, 'attention')
    draw_windows(axes[0], result, result.stream)
    draw_crop(axes[1], result)
    heads = len(result.attention.probabilities)
    maps = _attention_maps(result, mean=True)
    titles = ('attention', 'attention without the bias', 'relative position bias')
    for at, title, (name, (values, norm, cmap)) in zip(axes[2:], titles, maps.items()):
        title += f',\nmean of {heads} heads' if heads > 1 else ',\nits one head'
        colour_bar(at, draw_weights(at, result, values[0], title, norm, cmap), LABELS[name], below=True)
    for unused in axes[2 + len(maps):]:
        unused.remove()

    axes = sheet.row(2, 5, 'receptive field')
    kinds = list(result.field.values)
    for number, with_dwconv in enumerate(kinds):
        colour_bar(axes[number], draw_block_field(axes[number], result, with_dwconv), GRADIENT, below=True)
        at = axes[len(kinds) + number]
        colour_bar(at, draw_backbone_field(at, result, with_dwconv), GRADIENT, below=True)
    draw_shares(axes[2 * len(kinds)], result)
    for unused in axes[2 * len(kinds) + 1:]:
        unused.remove()
    return sheet.figure


def features(result: Explanation) -> Figure:
    """The four streams at the end of the backbone: principal components above, means below."""
    height = panel_width(5) * _form(result)
    before = [i for i, stream in enumerate(result.streams) if not stream.is_output]
    note = f'\nNo outputs of this model, shown before the last exchange: streams {str(before)[1:-1]}.' if before else ''
    sheet = Sheet(result, 'Feature maps at the end of the backbone', [(height, TICKS), (height, BAR)],
                  'Axes in pixels.')
    _features(result, sheet.row(0, 5, 'components'))
    words, *axes = sheet.row(1, 5, 'mean')
    explain_in(words, COMPONENTS + note)
    for at, stream in zip(axes, result.streams):
        colour_bar(at, draw_mean(at, stream, result.picture), 'mean of the channels', below=True)
    return sheet.figure


def windows(result: Explanation) -> Figure:
    """The windows of the block in each stream of its stage."""
    columns = 2
    rows = -(-len(result.grids) // columns)
    sheet = Sheet(result, f'Attention windows of stage {result.stage}',
                  [(panel_width(columns) * min(_form(result) * 1.1, 1), TICKS)] * rows,
                  f'{SIGNS} Dashed: the map. Axes in pixels.')
    axes = [one for row in range(rows) for one in sheet.row(row, columns)]
    for number in range(len(result.grids)):
        draw_windows(axes[number], result, number)
    for unused in axes[len(result.grids):]:
        unused.remove()
    return sheet.figure


def attention(result: Explanation) -> Figure:
    """The mean and every head: probabilities with and without the bias, and the bias."""
    maps, heads = _attention_maps(result), len(result.attention.probabilities)
    bands = [range(first, min(first + HEADS, heads)) for first in range(0, heads, HEADS)]
    image, gap = 2.2, 0.1  # inches: the width of what stands left of the heads, and what is between them
    left, columns = LEFT + image + 0.6, len(bands[0]) + (heads > 1)
    side = min(1.9, (WIDTH - left - RIGHT - 0.25) / columns - gap)
    height = (side + gap) * len(maps) - gap
    if len(bands) == 1:  # what stands left may be higher
        height = max(height, image * _form(result) + 2.4)
    sheet = Sheet(result, 'Attention of one place', [(height, TICKS)] * len(bands),
                  f'{SIGNS} Probabilities of a head sum to 1; the bias is added before softmax.')
    draw_windows(sheet.add(0, LEFT, image, image * _form(result)), result, result.stream)
    draw_crop(sheet.add(0, LEFT + 0.2, image - 0.4, 1.8, image * _form(result) + 0.6), result)

    for band, numbers in enumerate(bands):
        cells = [('mean', None)] if heads > 1 and band == 0 else []
        cells += [(f'head {i}', i) for i in numbers]
        for row, (name, (values, norm, cmap)) in enumerate(maps.items()):
            for column, (title, head) in enumerate(cells):
                at = sheet.add(band, left + column * (side + gap), side, side, row * (side + gap))
                shown = values.mean(0) if head is None else values[head]
                drawn = draw_weights(at, result, shown, title if row == 0 else '', norm, cmap)
                if column == 0:
                    at.set_ylabel(name.replace(' the', '\nthe'), fontsize=TEXT)
            colour_bar(at, drawn, LABELS[name] if side > 1.3 else '')
    return sheet.figure


def receptive_field(result: Explanation) -> Figure:
    """Of the block above, of the whole backbone below."""
    columns = len(result.field.values) + 1
    width = panel_width(3, 0.9)
    sheet = Sheet(result, 'Effective receptive field: the gradient of one output to the inputs',
                  [(width * 0.9, TICKS), (width * min(_form(result), 1), TICKS)],
                  f'One output: the blue square above, the pixel below; its channels are summed. Colours: {GRADIENT}; '
                  'clear where it is zero.\nRed: its window. Yellow: squares that hold 50% and 95%. dw. conv.: the 3x3 '
                  'depth-wise convolution of the FFN. Axes in pixels.')
    above, below = sheet.row(0, 3, 'one block', 0.9), sheet.row(1, 3, 'whole backbone', 0.9)
    for number, with_dwconv in enumerate(result.field.values):
        colour_bar(above[number], draw_block_field(above[number], result, with_dwconv), '')
        colour_bar(below[number], draw_backbone_field(below[number], result, with_dwconv), '')
    draw_shares(below[columns - 1], result)
    explain_in(above[columns - 1], CROSSING)
    for unused in (*above[columns:], *below[columns:]):
        unused.remove()
    return sheet.figure


PICTURES: dict[str, Callable[[Explanation], Figure]] = {
    'overview.png': overview, 'features.png': features, 'windows.png': windows, 'attention.png': attention,
    'receptive_field.png': receptive_field}


def _features(result: Explanation, axes: list) -> None:
    draw_image(axes[0], result.picture)
    draw_pixel(axes[0], result.picture)
    frame(axes[0], 'the image as it is seen,\nand the chosen pixel')
    for number, (at, stream) in enumerate(zip(axes[1:], result.streams)):
        draw_components(at, stream, number, result.picture)


def _attention_maps(result: Explanation, mean: bool = False) -> dict[str, tuple[np.ndarray, Normalize, str]]:
    """By their name: values (heads, h, w), or (1, h, w) if their mean is wanted, and how they are coloured."""
    found = result.attention
    values = [None if x is None else (x.mean(0, keepdim=True) if mean else x).numpy()
              for x in (found.probabilities, found.without_bias, found.bias)]
    norm = Normalize(0, max(values[0].max(), values[1].max()))
    maps = {'attention': (values[0], norm, 'magma')}
    if values[2] is not None:
        largest = max(abs(values[2]).max(), 1e-6)
        maps['without the bias'] = (values[1], norm, 'magma')
        maps['bias'] = (values[2], TwoSlopeNorm(0, -largest, largest), 'RdBu_r')
    return maps


def _form(result: Explanation) -> float:
    """Height of a panel by its width."""
    width, height = result.picture.size
    return min(max(height / width, 0.4), 1.4)
