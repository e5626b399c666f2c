"""The attention of one place, made anew by the formula."""

from dataclasses import dataclass
from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor

from ...layers import HRFormerBlock, WindowAttention
from ...ops import merge_windows, partition_windows, shift_mask
from .grid import Window, WindowGrid


@dataclass
class PlaceAttention:
    """How one place of a map attends to those of its window.

    Args:
        place (tuple[int, int]): Row and column of the map.
        window (Window): Its window, h x w places.
        probabilities (Tensor): (heads, h, w); of each head they sum to 1.
        without_bias (Tensor): The same, the relative position bias left out.
        bias (Tensor, optional): (heads, h, w), what was left out, if the model has it.
        padded (Tensor): bool, (h, w), the places that pad the map.
        difference (float): The largest difference between the block's attention and what `probabilities` give in its
            place, of all places of the map, as a part of the largest value.
    """
    place: tuple[int, int]
    window: Window
    probabilities: Tensor
    without_bias: Tensor
    bias: Optional[Tensor]
    padded: Tensor
    difference: float


def attention_of(block: HRFormerBlock, x: Tensor, grid: WindowGrid, place: tuple[int, int]) -> PlaceAttention:
    """How a place attends in a block.

    Args:
        block (HRFormerBlock): The block.
        x (Tensor): Its input, (1, C, H, W).
        grid (WindowGrid): Its windows.
        place (tuple[int, int]): Row and column.
    """
    attention = block.attn['attn']
    with torch.no_grad():
        x = x.permute(0, 2, 3, 1)
        expected = attention(x, block.norm1)
        x = block.norm1(x)
        probabilities, output = attend(attention, x, grid)
        without_bias, _ = attend(attention, x, grid, with_bias=False)
        difference = ((output - expected).abs().max() / expected.abs().max().clamp(min=1e-30)).item()
        bias = attention.relative_position_bias()

    size = [h + before + after for h, before, after in zip(grid.size, grid.padding[::2], grid.padding[1::2])]
    # Of every window the places in their order, as numbers of the padded map.
    numbers = torch.arange(size[0] * size[1]).view(1, *size, 1).roll((-grid.shift[0], -grid.shift[1]), (1, 2))
    numbers = partition_windows(numbers, grid.window)[0, :, 0, :, 0]
    own = (place[0] + grid.padding.top) * size[1] + place[1] + grid.padding.left
    index, query = (numbers == own).nonzero()[0].tolist()
    window = grid.window_of(place)

    def on_map(values: Tensor) -> Tensor:
        """Values of the window's places (heads, L), to (heads, h, w): a shifted window may lie in parts on the map."""
        heads = values.shape[0]
        windows = values.new_zeros(1, len(numbers), heads, values.shape[1], 1)
        windows[0, index, :, :, 0] = values
        padded = merge_windows(windows, grid.window, size)[0].roll(grid.shift, (0, 1))
        rows = slice(window.top + grid.padding.top, window.bottom + grid.padding.top)
        columns = slice(window.left + grid.padding.left, window.right + grid.padding.left)
        return padded[rows, columns].permute(2, 0, 1).cpu()

    rows, columns = torch.arange(window.top, window.bottom), torch.arange(window.left, window.right)
    real = ((rows >= 0) & (rows < grid.size[0]))[:, None] & ((columns >= 0) & (columns < grid.size[1]))
    return PlaceAttention(place, window, on_map(probabilities[index, :, query]), on_map(without_bias[index, :, query]),
                          None if bias is None else on_map(bias[:, query].detach()), ~real, difference)


def attend(attention: WindowAttention, x: Tensor, grid: WindowGrid, with_bias: bool = True) -> tuple[Tensor, Tensor]:
    """Attention by its formula, on purpose without the quick ways of :func:`hrformer_mm.ops.window_attention`.

    Args:
        attention (WindowAttention): The weights.
        x (Tensor): The map after the norm, (1, H, W, C).
        grid (WindowGrid): Its windows.
        with_bias (bool): Whether the relative position bias is added, if there is one.

    Returns:
        tuple[Tensor, Tensor]: The probabilities of all windows, (windows, heads, L, L), query by key, in the order of
        the map after the shift; and the map that follows from them, (1, H, W, C).
    """
    heads, padding, shift = attention.num_heads, grid.padding, grid.shift
    qkv = F.linear(x, attention.qkv.weight, attention.qkv.bias)
    # Padded places were zero before the projections.
    padded = padding.pad(qkv, attention.qkv.bias).roll((-shift[0], -shift[1]), (1, 2))
    q, k, v = partition_windows(padded, grid.window, 3, heads)
    products = (q * q.shape[3]**-0.5) @ k.transpose(2, 3)
    if with_bias and attention.relative_position_bias_table is not None:
        products = products + attention.relative_position_bias()
    if attention.with_pad_mask:
        mask = padding.pad(x.new_zeros(1, *grid.size, 1), x.new_ones(1))
        mask = partition_windows(mask, grid.window)[0].transpose(2, 3).bool()
        products = products.masked_fill(mask, float('-inf'))
    if any(shift):
        mask = shift_mask(padded.shape[1:3], grid.window, shift, x.device)
        products = products.masked_fill(mask, float('-inf'))
    probabilities = products.softmax(dim=3)
    out = merge_windows((probabilities @ v)[None], grid.window, padded.shape[1:3]).roll(shift, (1, 2))
    return probabilities, attention.proj(padding.crop(out))
