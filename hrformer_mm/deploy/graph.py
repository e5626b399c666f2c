"""The graph form: the deployment form of a model for images of one size, in few operators that engines fuse."""

import copy
import math
from itertools import chain
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..ops import Padding, attention, centred_padding
from .blocks import DeployBlock
from .replacing import replace_modules
from .window_rows import WindowRows, window_rows


def to_graph_form(model: nn.Module, *inputs: Any, implementation: str = 'plain') -> nn.Module:
    """Make a copy of a model whose blocks are for maps of one size. It shares the model's weights.

    Engines copy memory where a graph permutes dimensions. The graph form has one copy into windows and one out of them,
    which crops as well, and pads one token, not the map.

    Args:
        model (nn.Module): In the deployment form.
        *inputs (Tensor | Sequence[Tensor]): Arguments of the model, which set the sizes of the maps.
        implementation (str): Of attention, see :func:`hrformer_mm.ops.attention`. Default: 'plain'.
    """
    model = copy.deepcopy(model, {id(tensor): tensor for tensor in chain(model.parameters(), model.buffers())})
    sizes: dict[nn.Module, tuple[int, int]] = {}

    def note_size(block: nn.Module, args: tuple[Tensor]) -> None:
        sizes[block] = tuple(args[0].shape[2:])

    hooks = [block.register_forward_pre_hook(note_size) for block in model.modules() if isinstance(block, DeployBlock)]
    with torch.no_grad():
        model(*inputs)
    for hook in hooks:
        hook.remove()

    def graph_block(block: DeployBlock) -> GraphBlock:
        attn = block.attn
        shift = attn.shift if attn.is_shifted(sizes[block]) else (0, 0)
        padding = centred_padding(sizes[block], attn.window_size)
        rows = window_rows(sizes[block], attn.window_size, padding, shift, attn.num_heads)
        return GraphBlock(block, sizes[block], padding, rows, implementation)

    replace_modules(model, DeployBlock, graph_block)
    return model


class GraphBlock(nn.Module):
    """The graph form of a block.

    Args:
        block (DeployBlock): Its parts are shared.
        size (tuple[int, int]): Height and width of the map.
        padding (Padding): Of the map to whole windows.
        rows (WindowRows): Of the map and its windows.
        implementation (str): Of attention.
    """

    def __init__(
        self, block: DeployBlock, size: tuple[int, int], padding: Padding, rows: WindowRows, implementation: str
    ) -> None:
        super().__init__()
        self.norm1, self.attn, self.norm2, self.ffn = block.norm1, block.attn, block.norm2, block.ffn
        self.size, self.implementation = size, implementation
        self.padding, heads = padding, block.attn.num_heads
        # The last row stands for padding: it is the projection of a token of zeros.
        into = rows.into.clone()
        into[:, rows.padded] = (
            math.prod(size) * 3 * heads + torch.arange(3)[:, None] * heads + rows.padded_heads
        ).int()
        self.register_buffer('into', into.flatten(), persistent=False)
        self.register_buffer('out', rows.out, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H, W)."""
        # Engines move no memory for a permutation that alone reads the output of a convolution.
        x = _tokens(x)
        x = x + _tokens(self._attend(self.norm1(x)))
        return self.ffn(_map(self.norm2(x), self.size)) + _map(x, self.size)

    def _attend(self, x: Tensor) -> Tensor:
        """(N, H * W, C) to (N, C, H, W)."""
        attn, heads = self.attn, self.attn.num_heads
        if any(self.padding):
            x = F.pad(x, (0, 0, 0, 1))  # one more token, whose projection is the bias
        n, count = x.shape[:2]
        qkv = _tokens(attn.qkv(_map(x, (1, count)))).reshape(n, count * 3 * heads, -1)
        windows = qkv.index_select(1, self.into).view(n, 3, -1, heads, math.prod(attn.window_size), qkv.shape[2])
        q, k, v = (part.flatten(0, 1) for part in windows.unbind(1))
        x = attention(q, k, v, attn.masked_bias(x, self.size, self.padding), 1.0, self.implementation)
        x = x.reshape(n, -1, x.shape[3]).index_select(1, self.out).view(n, self.size[0] * self.size[1], -1)
        return attn.proj(_map(x, self.size))


def _tokens(x: Tensor) -> Tensor:
    """(N, C, H, W) to (N, H * W, C)."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def _map(x: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, H * W, C) to (N, C, H, W)."""
    return x.unflatten(1, size).permute(0, 3, 1, 2)
