"""What is computed of an image: the numbers that the pictures show."""

from dataclasses import dataclass, field
from typing import Any, Optional

import numpy as np

from .attention import PlaceAttention
from .grid import WindowGrid
from .network import UNTRAINED, Picture
from .receptive_field import sides

SHARES = (0.5, 0.95)  # of the gradient, for which squares are given


@dataclass
class Stream:
    """A stream at the end of the backbone.

    Args:
        channels (int): Of its map.
        size (tuple[int, int]): H and W of its map.
        stride (int): In pixels.
        is_output (bool): Whether the backbone gives it; else it is before the last exchange between streams.
        colours (np.ndarray): (H, W, 3), the three first principal components.
        variance (list[float]): The part of the variance in each.
        mean (np.ndarray): (H, W), over the channels.
    """
    channels: int
    size: tuple[int, int]
    stride: int
    is_output: bool
    colours: np.ndarray
    variance: list[float]
    mean: np.ndarray

    def as_dict(self) -> dict[str, Any]:
        return dict(stride=self.stride, channels=self.channels, map=list(self.size), is_output=self.is_output,
                    variance_of_components=self.variance, mean=float(self.mean.mean()), lowest=float(self.mean.min()),
                    highest=float(self.mean.max()))


@dataclass
class Field:
    """An effective receptive field, with the depth-wise convolution and without.

    Args:
        place (tuple[int, int]): Row and column of the output.
        stride (int): Height and width of one value, in pixels of the image.
        centre (tuple[int, int]): The input that the output lies on, row and column of the values.
        values (dict[bool, np.ndarray]): (H, W), with the convolution (True) and without (False); only without, if the
            model has none.
    """
    place: tuple[int, int]
    stride: int
    centre: tuple[int, int]
    values: dict[bool, np.ndarray]

    def as_dict(self, grid: Optional[WindowGrid] = None) -> dict[str, Any]:
        """With the windows of a block: how much of the gradient is outside of the place's own."""
        result: dict[str, Any] = dict(place=list(self.place), cell=self.stride)
        for with_dwconv, values in self.values.items():
            about: dict[str, Any] = dict(inputs=int((values > 0).sum()), of=values.size)
            about['squares'] = {f'{share:.0%}': side * self.stride
                                for share, side in zip(SHARES, sides(values, self.centre, SHARES))}
            if grid is not None:
                about['outside_window'] = self.outside(with_dwconv, grid)
            result['with_dwconv' if with_dwconv else 'without_dwconv'] = about
        return result

    def outside(self, with_dwconv: bool, grid: WindowGrid) -> float:
        """The part of the gradient that is outside of the place's window."""
        window, values = grid.window_of(self.place), self.values[with_dwconv].copy()
        whole = values.sum()
        values[max(window.top, 0):window.bottom, max(window.left, 0):window.right] = 0
        return float(values.sum() / whole) if whole > 0 else 0.0


@dataclass
class Explanation:
    """Everything about one image.

    Args:
        config, checkpoint (str): As given.
        picture (Picture): The image.
        input_size (tuple[int, int]): Width and height of what goes in, with what the model pads.
        stage, module, block, stream (int): The block that is looked into.
        streams (list[Stream]): All four, at the end of the backbone.
        grids (list[WindowGrid]): The windows of the block, for each stream of its stage.
        attention (PlaceAttention): Of the pixel's place.
        block_field (Field): Of the block; its output is the corner of the window next to the pixel's place, since
            places within a window see no other through one 3x3 convolution.
        field (Field): Of the whole backbone, at the pixel's place of the stream.
        pictures (dict[str, list[int]]): The files that were written, with width and height.
    """
    config: str
    checkpoint: str
    picture: Picture
    input_size: tuple[int, int]
    stage: int
    module: int
    block: int
    stream: int
    streams: list[Stream]
    grids: list[WindowGrid]
    attention: PlaceAttention
    block_field: Field
    field: Field
    pictures: dict[str, list[int]] = field(default_factory=dict)

    @property
    def grid(self) -> WindowGrid:
        """The windows of the block's own stream."""
        return self.grids[self.stream]

    @property
    def trained(self) -> bool:
        return self.checkpoint != UNTRAINED

    @property
    def where(self) -> str:
        return f'stage {self.stage}, module {self.module}, block {self.block}, stream {self.stream}'

    def as_dict(self) -> dict[str, Any]:
        """Of plain types; lengths in pixels of the image as it is seen, places and windows in places of the map."""
        attention = self.attention

        def rounded(values: Any) -> Any:
            return None if values is None else np.round(values.double().numpy(), 6).tolist()

        return dict(
            config=self.config, checkpoint=self.checkpoint, trained=self.trained, image=self.picture.as_dict(),
            input_size=list(self.input_size), stage=self.stage, module=self.module, block=self.block,
            stream=self.stream, streams=[stream.as_dict() for stream in self.streams],
            windows=[grid.as_dict() for grid in self.grids],
            attention=dict(
                place=list(attention.place), window=attention.window._asdict(),
                probabilities=rounded(attention.probabilities), without_bias=rounded(attention.without_bias),
                bias=rounded(attention.bias), padded=attention.padded.tolist(),
                on_padding=rounded((attention.probabilities * attention.padded).sum((1, 2))),
                difference=attention.difference),
            receptive_field=dict(block=self.block_field.as_dict(self.grid), backbone=self.field.as_dict()),
            pictures=self.pictures)
