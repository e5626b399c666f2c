"""Compute the attention of one position from its definition."""

from typing import Any

import torch
from torch import Tensor

from ...layers import HRFormerBlock
from .windows import WindowGrid


@torch.no_grad()
def attention_of(block: HRFormerBlock, x: Tensor, grid: WindowGrid, position: tuple[int, int]) -> dict[str, Any]:
    """Compute how one position of a block attends to the h x w positions of its window.

    Args:
        block (HRFormerBlock): The block.
        x (Tensor): The input of the block, (1, C, H, W).
        grid (WindowGrid): The windows of the block.
        position (tuple[int, int]): Row and column.

    Returns:
        dict: In plain types: `probabilities` (heads, h, w), which sum to 1 for each head; the probabilities
        `without_bias`; the relative position `bias` (heads, h, w), or None; `padded` (h, w), which marks padding;
        `on_padding` (heads,), the sum of the probabilities on padding; `difference`, the largest deviation of the
        resulting output from that of the attention module, relative to its largest value; the `position`; and its
        `window`.
    """
    attention: Any = block.attn.attn
    window = grid.window_of(position)
    rows = torch.arange(window.top, window.bottom, device=x.device)
    columns = torch.arange(window.left, window.right, device=x.device)
    row, column = position[0] - window.top, position[1] - window.left  # within the window
    padded = ~((rows >= 0) & (rows < grid.size[0]))[:, None] | ~((columns >= 0) & (columns < grid.size[1]))

    x = block.norm1(x.permute(0, 2, 3, 1))
    tokens = attention.qkv(grid.padding.pad(x))[0, rows + grid.padding.top][:, columns + grid.padding.left]
    q, k, v = tokens.unflatten(2, (3, attention.num_heads, -1)).permute(2, 3, 0, 1, 4)  # (heads, h, w, head size)
    products = (q[:, row, column, None, None] * k).sum(3) * q.shape[3] ** -0.5
    if block.attn.with_pad_mask:
        products = products.masked_fill(padded, float('-inf'))
    bias = None
    if attention.relative_position_bias_table is not None:
        numbers = ((rows + grid.padding.top - grid.shift[0]) % grid.window_size[0])[:, None] * grid.window_size[1]
        numbers = numbers + (columns + grid.padding.left - grid.shift[1]) % grid.window_size[1]
        index = attention.relative_position_index[numbers[row, column], numbers]
        bias = attention.relative_position_bias_table[index].permute(2, 0, 1)
    both = torch.stack((products, products if bias is None else products + bias))
    without_bias, probabilities = both.flatten(2).softmax(2).view_as(both)

    expected = block.attn(x)[0, position[0], position[1]]
    found = attention.proj((probabilities[..., None] * v).sum((1, 2)).view(1, 1, 1, -1))
    difference = (found - expected).abs().max() / expected.abs().max().clamp(min=1e-30)
    arrays = dict(
        probabilities=probabilities,
        without_bias=without_bias,
        bias=bias,
        on_padding=(probabilities * padded).sum((1, 2)),
    )
    return dict(
        {name: None if x is None else x.double().cpu().numpy().round(6).tolist() for name, x in arrays.items()},
        position=position,
        window=window._asdict(),
        padded=padded.tolist(),
        difference=difference.item(),
    )
