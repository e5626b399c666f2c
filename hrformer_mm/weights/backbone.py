"""Weights of the backbone alone: what they are of, and fitting them to a model."""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, Union

from mmengine.logging import print_log
from torch import Tensor

from ..ops import relative_position_index, resize_bias_table, square_window
from .check import check_state
from .io import read_tensors
from .layouts import INDEX, TABLE, Layout, convert_names, recognise

_LAST_FUSION = re.compile(r'(stage4\.\d+\.fuse_layers\.\d)\.')


def load_backbone(source: Union[str, os.PathLike], expected: Mapping[str, Sequence[int]],
                  windows: Mapping[str, tuple[int, int]]) -> dict[str, Tensor]:
    """Read the backbone's part of any released file, or of a model that was trained on it, and fit it to a model.

    Args:
        source (str | PathLike): A file or URL, as in :func:`read_tensors`.
        expected (Mapping[str, Sequence[int]]): The model's keys and their shapes.
        windows (Mapping[str, tuple[int, int]]): The window (height, width) of every attention, by module name.

    Raises:
        FileNotFoundError, ValueError: If the file cannot be read, is unknown, or does not fit.
    """
    state = read_tensors(source)
    try:
        state, layout = _recognise_backbone(state)
        renamed = convert_names(state, layout)
        ours = {name.removeprefix('backbone.'): value for name, value in renamed.items()
                if name.startswith('backbone.')}
        fitted = fit_backbone(ours, expected, windows)
    except ValueError as error:
        raise ValueError(f'{source}: {error}') from error
    print_log(f'Loaded the backbone from {source}, {layout}.', logger='current')
    return fitted


def fit_backbone(state: Mapping[str, Tensor], expected: Mapping[str, Sequence[int]],
                 windows: Mapping[str, tuple[int, int]]) -> dict[str, Tensor]:
    """Resize bias tables to the model's windows, leave out what the model does not compute, and check the rest.

    Args, raises: As in :func:`load_backbone`, with `state` under this package's names without `backbone.`.
    """
    fitted = dict(state)
    surplus = [name for name in state if name not in expected]
    _leave_out(fitted, [name for name in surplus if name.endswith((TABLE, INDEX))],
               'tables and indices of relative position bias, since with_rpe is False')
    computed = {match[1] for match in map(_LAST_FUSION.match, expected) if match}
    _leave_out(fitted, [n for n in surplus if (m := _LAST_FUSION.match(n)) and m[1] not in computed],
               'weights of streams that out_indices leaves out')
    resized: dict[str, int] = {}
    for module, window in windows.items():
        name = module + TABLE
        if name not in expected:
            continue
        fitted[module + INDEX] = relative_position_index(window)
        if name in fitted and tuple(fitted[name].shape) != tuple(expected[name]):
            old = square_window(fitted[name])
            fitted[name] = resize_bias_table(fitted[name], (old, old), window)
            step = f'{old}x{old} to {window[0]}x{window[1]}'
            resized[step] = resized.get(step, 0) + 1
    for step, count in resized.items():
        print_log(f'Resized {count} tables of relative position bias from windows of {step}.', logger='current')
    check_state(fitted, expected)
    return fitted


def _recognise_backbone(state: dict[str, Tensor]) -> tuple[dict[str, Tensor], Layout]:
    """Like :func:`recognise`, but heads that are not HRFormer's are left out, where `backbone.` tells them apart."""
    try:
        return state, recognise(state)
    except ValueError:
        others = [name for name in state if not name.startswith('backbone.')]
        if len(others) in (0, len(state)):
            raise
        state = dict(state)
        _leave_out(state, others, 'weights of other parts than the backbone')
        return state, recognise(state)


def _leave_out(state: dict[str, Tensor], names: Sequence[str], what: str) -> None:
    for name in names:
        del state[name]
    if names:
        print_log(f'Left out {len(names)} {what}.', logger='current')


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

    blocks = [f'stage4.0.branches.{stream}.0' for stream in range(4)]
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
