"""The graph form: the deployment form for inputs of a fixed size, in few operators that inference engines fuse."""

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
from .window_rows import WindowRows


def to_graph_form(model: nn.Module, *inputs: Any, implementation: str = 'plain') -> nn.Module:
    """Copy a model and replace its blocks by blocks for maps of a fixed size. The copy shares the model's weights.

    Inference engines copy memory wherever a graph permutes dimensions. The graph form gathers positions into windows
    once and out of windows once. The latter also crops, and a single additional token serves as padding.

    Args:
        model (nn.Module): Model in the deployment form.
        *inputs (Tensor | Sequence[Tensor]): Example arguments of the model, which determine the sizes of all maps.
        implementation (str): Implementation of attention, see :func:`hrformer_mm.ops.attention`. Default: 'plain'.
    """
    model = copy.deepcopy(model, {id(tensor): tensor for tensor in chain(model.parameters(), model.buffers())})
    sizes: dict[nn.Module, tuple[int, int]] = {}

    def record_size(block: nn.Module, args: tuple[Tensor]) -> None:
        sizes[block] = args[0].shape[2], args[0].shape[3]

    hooks = [
        block.register_forward_pre_hook(record_size) for block in model.modules() if isinstance(block, DeployBlock)
    ]
    with torch.no_grad():
        model(*inputs)
    for hook in hooks:
        hook.remove()

    def graph_block(block: DeployBlock) -> GraphBlock:
        padding = centred_padding(sizes[block], block.attn.window_size)
        rows = block.attn.window_rows(sizes[block], padding)
        return GraphBlock(block, sizes[block], padding, rows, implementation)

    replace_modules(model, DeployBlock, graph_block)
    return model


class GraphBlock(nn.Module):
    """Graph form of a block.

    Args:
        block (DeployBlock): Block whose modules are shared.
        size (tuple[int, int]): Height and width of the map.
        padding (Padding): Padding of the map to whole windows.
        rows (WindowRows): Indices of the rows of the map and of its windows.
        implementation (str): Implementation of attention.
    """

    into: Tensor
    out: Tensor

    def __init__(
        self, block: DeployBlock, size: tuple[int, int], padding: Padding, rows: WindowRows, implementation: str
    ) -> None:
        super().__init__()
        self.norm1, self.attn, self.norm2, self.ffn = block.norm1, block.attn, block.norm2, block.ffn
        self.size, self.implementation = size, implementation
        self.padding, heads = padding, block.attn.num_heads
        # Padding refers to the rows of the padding token, which follows the map.
        into = rows.into.clone()
        into[:, rows.padded] = (
            math.prod(size) * 3 * heads + torch.arange(3)[:, None] * heads + rows.padded_heads
        ).int()
        self.register_buffer('into', into.flatten(), persistent=False)
        self.register_buffer('out', rows.out, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to a map (N, C, H, W) of the fixed size; the output has the same shape."""
        # Engines elide a permutation that is the only reader of a convolution's output, and copy memory for others.
        x = _tokens(x)
        x = x + _tokens(self._attend(self.norm1(x)))
        return self.ffn(_map(self.norm2(x), self.size)) + _map(x, self.size)

    def _attend(self, x: Tensor) -> Tensor:
        """Apply attention to tokens (N, H * W, C); the output is a map (N, C, H, W)."""
        attn, heads = self.attn, self.attn.num_heads
        if any(self.padding):
            x = F.pad(x, (0, 0, 0, 1))  # the padding token, which is projected to the bias
        n, count = x.shape[:2]
        qkv = _tokens(attn.qkv(_map(x, (1, count)))).reshape(n, count * 3 * heads, -1)
        windows = qkv.index_select(1, self.into).view(n, 3, -1, heads, math.prod(attn.window_size), qkv.shape[2])
        q, k, v = (part.flatten(0, 1) for part in windows.unbind(1))
        x = attention(q, k, v, attn.masked_bias(x, self.size, self.padding), 1.0, self.implementation)
        x = x.reshape(n, -1, x.shape[3]).index_select(1, self.out).view(n, self.size[0] * self.size[1], -1)
        return attn.proj(_map(x, self.size))


def _tokens(x: Tensor) -> Tensor:
    """Convert a map (N, C, H, W) to tokens (N, H * W, C)."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def _map(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Convert tokens (N, H * W, C) to a map (N, C, H, W)."""
    return x.unflatten(1, size).permute(0, 3, 1, 2)
