"""What a backbone is, read off its weights."""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..ops import square_window
from .layouts import TABLE


def describe_backbone(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Read the arguments of a backbone off its weights.

    Args:
        state (Mapping[str, Tensor]): Under this package's names, without `backbone.`.

    Returns:
        dict: `arch` (as a dict), `window_sizes` and `out_indices`.

    Raises:
        ValueError: If a key is missing that tells one of them.
    """
    def shape(name: str) -> tuple[int, ...]:
        if name not in state:
            raise ValueError(f'the key {name} is missing')
        return tuple(state[name].shape)

    def count(pattern: str) -> int:
        return len({match[1] for match in map(re.compile(pattern).match, state) if match})

    blocks = [f'stage4.0.branches.{branch}.0' for branch in range(4)]
    channels = [shape(f'{block}.norm1.weight')[0] for block in blocks]
    for block in blocks:
        shape(f'{block}.attn.attn{TABLE}')
    modules = (1, ) + tuple(count(rf'stage{number}\.(\d+)\.') for number in (2, 3, 4))
    last = f'stage4.{modules[3] - 1}'
    return dict(
        arch=dict(
            num_modules=modules,
            channels=tuple(channels),
            num_heads=tuple(shape(f'{block}.attn.attn{TABLE}')[1] for block in blocks),
            num_blocks=count(r'stage4\.0\.branches\.0\.(\d+)\.'),
            mlp_ratio=shape(f'{blocks[0]}.ffn.fc1.weight')[0] / channels[0]),
        window_sizes=tuple(square_window(state[f'{block}.attn.attn{TABLE}']) for block in blocks),
        out_indices=tuple(i for i in range(4) if any(name.startswith(f'{last}.fuse_layers.{i}.') for name in state)))
