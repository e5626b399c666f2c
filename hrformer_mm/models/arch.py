"""Structure of the variants of HRFormer as data (paper, table 1; authors' configs)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from ..arguments import (
    check_bool,
    check_choice,
    check_int,
    check_ints,
    check_keys,
    check_positive,
    check_probability,
    check_sequence,
)
from ..layers.fusion import UPSAMPLES

# Modules of stages 1 to 4, channels and heads of the four branches, and the authors' drop path rate.
ARCHS: dict[str, dict[str, Any]] = {
    'tiny': dict(num_modules=(1, 1, 3, 2), channels=(18, 36, 72, 144), num_heads=(1, 2, 4, 8), drop_path_rate=0.0),
    'small': dict(num_modules=(1, 1, 4, 2), channels=(32, 64, 128, 256), num_heads=(1, 2, 4, 8), drop_path_rate=0.1),
    'base': dict(num_modules=(1, 1, 4, 2), channels=(78, 156, 312, 624), num_heads=(2, 4, 8, 16), drop_path_rate=0.2),
}
DEFAULTS: dict[str, Any] = dict(num_blocks=2, mlp_ratio=4, drop_path_rate=0.0)

WindowSizes = int | Sequence[int | Sequence[int]]


@dataclass(frozen=True)
class Stage:
    """Stage 2, 3 or 4, which repeats the same module `num_modules` times. The tuples have one entry per branch."""

    num_modules: int
    num_blocks: tuple[int, ...]
    channels: tuple[int, ...]
    num_heads: tuple[int, ...]
    window_sizes: tuple[tuple[int, int], ...]
    mlp_ratios: tuple[float, ...]


@dataclass(frozen=True)
class Arch:
    """Backbone with `bottlenecks` of `bottleneck_channels` in stage 1, followed by stages 2, 3 and 4."""

    bottlenecks: int
    bottleneck_channels: int
    stages: tuple[Stage, ...]
    drop_path_rate: float


def from_arch(arch: str | Mapping[str, Any], window_sizes: WindowSizes) -> Arch:
    """Build the structure of a variant from its name or a dict.

    Args:
        arch (str | dict): 'tiny', 'small', 'base', or a dict with `num_modules` (four numbers), `channels` and
            `num_heads` (one number per branch), and optionally `num_blocks` (2), `mlp_ratio` (4) and
            `drop_path_rate` (0).
        window_sizes (int | Sequence): One window size for all branches, or four, one per branch. Each is a number or a
            (height, width) pair.

    Raises:
        TypeError: If a value has the wrong type.
        ValueError: If a value is out of range, or a key is missing or unknown.
    """
    if isinstance(arch, str):
        if arch not in ARCHS:
            raise ValueError(f'arch is {arch!r}, but must be one of {", ".join(ARCHS)}, or a dict')
        arch = ARCHS[arch]
    if not isinstance(arch, Mapping):
        raise TypeError(f'arch must be one of {", ".join(ARCHS)}, or a dict, but is {arch!r}')
    check_keys('arch', arch, required=('num_modules', 'channels', 'num_heads'), optional=tuple(DEFAULTS))
    arch = {**DEFAULTS, **arch}

    modules = check_ints('arch.num_modules', arch['num_modules'], 4)
    if modules[0] != 1:
        raise ValueError(f'arch.num_modules[0] is {modules[0]}, but stage 1 is always 1 module')
    channels = check_ints('arch.channels', arch['channels'], 4)
    heads = check_ints('arch.num_heads', arch['num_heads'], 4)
    blocks = check_int('arch.num_blocks', arch['num_blocks'])
    ratio = check_positive('arch.mlp_ratio', arch['mlp_ratio'])
    if isinstance(window_sizes, Sequence) and len(window_sizes) == 2:  # one (height, width) for all branches
        window_sizes = (check_ints('window_sizes', window_sizes, 2),) * 4
    windows = _windows('window_sizes', window_sizes, 4)
    stages = tuple(
        _stage('arch', modules[n - 1], (blocks,) * n, channels[:n], heads[:n], windows[:n], (ratio,) * n)
        for n in (2, 3, 4)
    )
    return Arch(2, 64, stages, check_probability('arch.drop_path_rate', arch['drop_path_rate']))


def from_extra(extra: Mapping[str, Any]) -> tuple[Arch, dict[str, Any]]:
    """Build the structure of a variant from the dict `extra` of an mmpose config.

    Returns:
        tuple: Structure, and the arguments `fuse_upsample`, `out_indices`, `with_rpe` and `with_pad_mask` of the
        backbone that are equivalent to the config.

    Raises:
        TypeError: If a value has the wrong type.
        ValueError: If a value is out of range, or a key is missing or unknown.
    """
    if not isinstance(extra, Mapping):
        raise TypeError(f'extra must be a dict, but is {extra!r}')
    check_keys(
        'extra',
        extra,
        required=('stage1', 'stage2', 'stage3', 'stage4'),
        optional=('drop_path_rate', 'with_rpe', 'with_pad_mask', 'upsample'),
    )
    common = ('num_modules', 'num_branches', 'block', 'num_blocks', 'num_channels')
    for name in ('stage1', 'stage2', 'stage3', 'stage4'):
        stage, key = extra[name], f'extra.{name}'
        if not isinstance(stage, Mapping):
            raise TypeError(f'{key} must be a dict, but is {stage!r}')
        branches = int(name[-1])
        attention = ('num_heads', 'mlp_ratios', 'window_sizes')
        # Stage 1 has no attention, but mmpose's configs list its arguments, one of them misspelt. mmpose's backbone
        # writes `drop_path_rates`, which follow from `drop_path_rate`, into the other stages.
        first = name == 'stage1'
        check_keys(
            key,
            stage,
            required=common + (() if first else attention),
            optional=(attention + ('num_mlp_ratios',) if first else ('drop_path_rates',)) + ('multiscale_output',),
        )
        _check_equal(f'{key}.num_branches', stage['num_branches'], branches)
        _check_equal(f'{key}.block', stage['block'], 'BOTTLENECK' if first else 'HRFORMERBLOCK')
        if branches < 4:  # the next stage needs all branches
            _check_equal(f'{key}.multiscale_output', stage.get('multiscale_output', True), True)
    _check_equal('extra.stage1.num_modules', extra['stage1']['num_modules'], 1)

    stages = []
    for name, n in (('stage2', 2), ('stage3', 3), ('stage4', 4)):
        stage, key = extra[name], f'extra.{name}'
        ratios = check_sequence(f'{key}.mlp_ratios', stage['mlp_ratios'], n)
        stages.append(
            _stage(
                key,
                check_int(f'{key}.num_modules', stage['num_modules']),
                check_ints(f'{key}.num_blocks', stage['num_blocks'], n),
                check_ints(f'{key}.num_channels', stage['num_channels'], n),
                check_ints(f'{key}.num_heads', stage['num_heads'], n),
                _windows(f'{key}.window_sizes', stage['window_sizes'], n),
                tuple(check_positive(f'{key}.mlp_ratios[{i}]', ratio) for i, ratio in enumerate(ratios)),
            )
        )
    arch = Arch(
        check_ints('extra.stage1.num_blocks', extra['stage1']['num_blocks'], 1)[0],
        check_ints('extra.stage1.num_channels', extra['stage1']['num_channels'], 1)[0],
        tuple(stages),
        check_probability('extra.drop_path_rate', extra.get('drop_path_rate', 0.0)),
    )
    arguments = dict(
        fuse_upsample=_upsample(extra.get('upsample', dict(mode='bilinear'))),
        out_indices=(0, 1, 2, 3)
        if check_bool('extra.stage4.multiscale_output', extra['stage4'].get('multiscale_output', False))
        else (0,),
        with_rpe=check_bool('extra.with_rpe', extra.get('with_rpe', True)),
        with_pad_mask=check_bool('extra.with_pad_mask', extra.get('with_pad_mask', False)),
    )
    return arch, arguments


def _upsample(upsample: Any) -> str:
    key = 'extra.upsample'
    if not isinstance(upsample, Mapping):
        raise TypeError(
            f"{key} must be a dict, for example dict(mode='bilinear', align_corners=False), but is {upsample!r}"
        )
    check_keys(key, upsample, required=('mode',), optional=('align_corners',))
    check_choice(f'{key}.mode', upsample['mode'], UPSAMPLES)
    check_choice(f'{key}.align_corners', upsample.get('align_corners'), (False, None))
    return str(upsample['mode'])


def _stage(
    key: str,
    modules: int,
    blocks: tuple[int, ...],
    channels: tuple[int, ...],
    heads: tuple[int, ...],
    windows: tuple[tuple[int, int], ...],
    ratios: tuple[float, ...],
) -> Stage:
    for branch, (c, h) in enumerate(zip(channels, heads)):
        if c % h:
            raise ValueError(f'{key}: num_heads[{branch}] is {h}, but must divide the {c} channels of branch {branch}')
    for branch, (c, ratio) in enumerate(zip(channels, ratios)):
        if int(c * ratio) < 1:
            raise ValueError(
                f'{key}: the mlp_ratio of branch {branch} is {ratio}, but must be at least 1 / {c}: otherwise the FFN '
                'has no hidden channels'
            )
    if len(set(blocks)) > 1:
        # The branches of a module share the drop path rates of their blocks.
        raise ValueError(
            f'{key}.num_blocks is {blocks}, but all branches of a stage must have the same number of blocks'
        )
    return Stage(modules, blocks, channels, heads, windows, ratios)


def _windows(name: str, value: Any, branches: int) -> tuple[tuple[int, int], ...]:
    if isinstance(value, Integral):
        return (_window(name, value),) * branches
    if isinstance(value, (str, Mapping)) or not isinstance(value, Sequence):
        raise TypeError(f'{name} must be an integer, or a list of {branches}, but is {value!r}')
    return tuple(_window(f'{name}[{i}]', window) for i, window in enumerate(check_sequence(name, value, branches)))


def _window(name: str, value: Any) -> tuple[int, int]:
    if isinstance(value, Integral):
        return (check_int(name, value),) * 2
    height, width = check_ints(name, value, 2)
    return height, width


def _check_equal(name: str, value: Any, expected: Any) -> None:
    if value != expected:
        raise ValueError(f'{name} is {value!r}, but must be {expected!r}')
