"""Locate the attention windows of a block on its map."""

from bisect import bisect
from collections.abc import Sequence
from typing import Any, NamedTuple

from ...layers import HRFormerBlock
from ...ops import Padding, centred_padding


class Window(NamedTuple):
    """Rows `top` to `bottom` and columns `left` to `right` of a map, ends excluded; those beyond it are padding."""

    top: int
    bottom: int
    left: int
    right: int

    def times(self, stride: int) -> 'Window':
        """Convert the window to pixels, for a map with this stride."""
        return Window(*(edge * stride for edge in self))


class WindowGrid(NamedTuple):
    """The windows of a map."""

    size: tuple[int, int]  # H and W of the map
    window_size: tuple[int, int]  # height and width of a window, in positions
    shift: tuple[int, int]  # shift of the windows down and right, as in Swin
    padding: Padding  # of the map to whole windows
    edges: tuple[list[int], list[int]]  # the borders of the windows, in rows and in columns of the map
    stride: int  # height and width of a position, in pixels

    def window_of(self, position: tuple[int, int]) -> Window:
        """Return the window that contains a position (row, column)."""
        ends = [(edges, bisect(edges, at)) for edges, at in zip(self.edges, position)]
        return Window(*(edges[i] for edges, end in ends for i in (end - 1, end)))

    def corner_of(self, window: Window) -> tuple[int, int]:
        """Return the corner (row, column) of a window that is nearest to the center of the map, where windows meet."""
        row, column = (
            max(first, 0) if first + end > size else min(end, size) - 1
            for size, first, end in zip(self.size, window[::2], window[1::2])
        )
        return row, column

    def as_dict(self) -> dict[str, Any]:
        return dict(
            stride=self.stride,
            map=self.size,
            window=self.window_size,
            shift=self.shift,
            padding=self.padding._asdict(),
            windows=[len(edges) - 1 for edges in self.edges],
        )


def windows_of(block: HRFormerBlock, size: Sequence[int], stride: int) -> WindowGrid:
    """Return the windows of a block on a map of `size` (H, W) with this stride."""
    window_size, shift = block.attn.window_size, block.attn.shift
    if any(own <= window for own, window in zip(size, window_size)):
        shift = (0, 0)  # windows are not shifted if one spans the height or the width of the map
    height, width = size
    padding, edges = centred_padding((height, width), window_size), []
    for own, window, moved, before, after in zip(size, window_size, shift, padding[::2], padding[1::2]):
        padded = before + own + after
        edges.append([edge - before for edge in sorted({0, padded, *range(moved, padded, window)})])
    return WindowGrid((height, width), window_size, shift, padding, (edges[0], edges[1]), stride)
