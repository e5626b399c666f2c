"""Depths of parameters for layer-wise learning rate decay."""

from typing import Any

from torch import nn


def layer_depth(backbone: nn.Module, name: str, prefix: str = '') -> tuple[int, int]:
    """Return the depth of a parameter for mmpretrain's layer-wise learning rate decay.

    The stem has depth 0. The depth increases by 1 with each bottleneck of stage 1 and each block of stages 2 to 4;
    parallel branches share their depths, as they share their drop path rates. A transition has the depth of the block
    that follows it, and a fusion that of the block that precedes it. Parameters outside of the backbone are deepest.

    Args:
        backbone (HRFormer): Backbone.
        name (str): Name of a parameter of the whole model.
        prefix (str): Prefix of the names of the backbone's parameters. Default: ''.

    Returns:
        tuple[int, int]: Depth of the parameter, and number of depths.
    """
    bottlenecks = enumerate(backbone.get_submodule('layer1').children())
    steps: list[tuple[Any, ...]] = [('stem',), *(('layer1', i) for i, _ in bottlenecks)]
    for stage in ('stage2', 'stage3', 'stage4'):
        for i, module in enumerate(backbone.get_submodule(stage).children()):
            steps += [(stage, i, block) for block, _ in enumerate(module.get_submodule('branches.0').children())]
    if not name.startswith(prefix):
        return len(steps), len(steps) + 1
    part, *rest = name[len(prefix) :].split('.')
    step: tuple[Any, ...] = ('stem',)
    if part == 'layer1':
        step = (part, int(rest[0]))
    elif part.startswith('transition'):
        step = (f'stage{int(part[-1]) + 1}', 0, 0)
    elif part.startswith('stage'):
        blocks = [step for step in steps if step[:2] == (part, int(rest[0]))]
        step = blocks[int(rest[3]) if rest[1] == 'branches' else -1]
    return steps.index(step), len(steps) + 1
