"""Where the attention windows of a block lie on its map and on the image."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from ...layers import HRFormerBlock
from ...ops import Padding, centred_padding


class Window(NamedTuple):
    """Rows `top` to `bottom` and columns `left` to `right` of a map, the ends excluded; those beyond it pad it."""
    top: int
    bottom: int
    left: int
    right: int

    def holds(self, place: tuple[int, int]) -> bool:
        """Whether a place (row, column) is in it."""
        return self.top <= place[0] < self.bottom and self.left <= place[1] < self.right


@dataclass(frozen=True)
class WindowGrid:
    """The windows of a map.

    Args:
        size (tuple[int, int]): H and W of the map, in places.
        window (tuple[int, int]): Height and width of a window, in places.
        shift (tuple[int, int]): How far down and right the windows are moved, as in Swin.
        stride (int): Height and width of a place, in pixels of the image.
    """
    size: tuple[int, int]
    window: tuple[int, int]
    shift: tuple[int, int]
    stride: int

    @classmethod
    def of(cls, block: HRFormerBlock, size: tuple[int, int], stride: int) -> 'WindowGrid':
        """The windows of a block on a map of `size`, (H, W)."""
        attention = block.attn['attn']
        # Windows stay where they are if one spans the map's height or width.
        moved = all(own > window for own, window in zip(size, attention.window_size))
        return cls(tuple(size), attention.window_size, attention.shift if moved else (0, 0), stride)

    @property
    def padding(self) -> Padding:
        """What makes the map one of whole windows."""
        return centred_padding(self.size, self.window)

    def _edges(self, axis: int) -> list[int]:
        before = (self.padding.top, self.padding.left)[axis]
        padded = self.size[axis] + -self.size[axis] % self.window[axis]
        edges = sorted({0, padded, *range(self.shift[axis], padded, self.window[axis])})
        return [edge - before for edge in edges]

    @property
    def rows(self) -> list[int]:
        """Where windows begin and end from top to bottom, in rows of the map: below 0 and beyond H is padding."""
        return self._edges(0)

    @property
    def columns(self) -> list[int]:
        """Where windows begin and end from left to right, in columns of the map."""
        return self._edges(1)

    def windows(self) -> list[Window]:
        """All windows, in reading order."""
        return [Window(top, bottom, left, right) for top, bottom in zip(self.rows, self.rows[1:])
                for left, right in zip(self.columns, self.columns[1:])]

    def window_of(self, place: tuple[int, int]) -> Window:
        """The window that a place (row, column) is in."""
        return next(window for window in self.windows() if window.holds(place))

    def place_of(self, pixel: tuple[int, int]) -> tuple[int, int]:
        """The place (row, column) that covers a pixel (x, y)."""
        return pixel[1] // self.stride, pixel[0] // self.stride

    def corner_of(self, place: tuple[int, int]) -> tuple[int, int]:
        """The place nearest to `place` in its window that touches other windows, across the border of each axis that
        has any; all in (row, column)."""
        window, corner = self.window_of(place), list(place)
        for axis, (first, end) in enumerate(((window.top, window.bottom), (window.left, window.right))):
            ends = [at for at, inside in ((first, first > 0), (end - 1, end < self.size[axis])) if inside]
            corner[axis] = min(ends, key=lambda at: abs(at - place[axis]), default=place[axis])
        return corner[0], corner[1]

    def as_dict(self) -> dict[str, Any]:
        return dict(stride=self.stride, map=list(self.size), window=list(self.window), shift=list(self.shift),
                    padding=self.padding._asdict(), windows=[len(self.rows) - 1, len(self.columns) - 1])
