"""What a backbone is, read off its weights."""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..ops import square_window
from .layouts import TABLE


def describe_backbone(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Read the arguments `arch` (as a dict), `window_sizes` and `out_indices` of a backbone off its weights.

    Raises:
        ValueError: If a key is missing that tells one of them.
    """
    def count(pattern: str) -> int:
        return len({match[1] for match in map(re.compile(pattern).match, state) if match})

    blocks = [f'stage4.0.branches.{branch}.0' for branch in range(4)]
    modules = (1, ) + tuple(count(rf'stage{number}\.(\d+)\.') for number in (2, 3, 4))
    fusion = f'stage4.{modules[3] - 1}.fuse_layers'
    try:
        channels = tuple(len(state[f'{block}.norm1.weight']) for block in blocks)
        tables = [state[f'{block}.attn.attn{TABLE}'] for block in blocks]
        mlp_ratio = len(state[f'{blocks[0]}.ffn.fc1.weight']) / channels[0]
    except KeyError as error:
        raise ValueError(f'the key {error.args[0]} is missing') from None
    return dict(
        arch=dict(num_modules=modules, channels=channels, num_heads=tuple(table.shape[1] for table in tables),
                  num_blocks=count(r'stage4\.0\.branches\.0\.(\d+)\.'), mlp_ratio=mlp_ratio),
        window_sizes=tuple(square_window(table) for table in tables),
        out_indices=tuple(i for i in range(4) if any(name.startswith(f'{fusion}.{i}.') for name in state)))
