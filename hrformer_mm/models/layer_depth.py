"""Depths of parameters, by which learning rates decay layer by layer."""

from typing import Any

from torch import nn


def layer_depth(backbone: nn.Module, name: str, prefix: str = '') -> tuple[int, int]:
    """The depth of a parameter in an HRFormer, as mmpretrain's layer-wise learning rates ask for it.

    The stem has depth 0. Each bottleneck of stage 1 and each block of stages 2 to 4 is one deeper; parallel branches
    share their depths, as they share their drop path rates. A transition has the depth of the first block after it, a
    fusion that of the last block before it, and whatever follows the backbone is deepest.

    Args:
        backbone (HRFormer): The backbone.
        name (str): The name of a parameter of a whole model.
        prefix (str): What the names of the backbone's parameters start with. Default: ''.

    Returns:
        tuple[int, int]: The depth, and the number of depths.
    """
    steps: list[tuple[Any, ...]] = [('stem',), *(('layer1', i) for i in range(len(backbone.layer1)))]
    for stage in ('stage2', 'stage3', 'stage4'):
        for i, module in enumerate(backbone.get_submodule(stage)):
            steps += [(stage, i, block) for block in range(len(module.branches[0]))]
    if not name.startswith(prefix):
        return len(steps), len(steps) + 1
    part, *rest = name[len(prefix) :].split('.')
    step: tuple[Any, ...] = ('stem',)
    if part == 'layer1':
        step = (part, int(rest[0]))
    elif part.startswith('transition'):
        step = (f'stage{int(part[-1]) + 1}', 0, 0)
    elif part.startswith('stage'):
        module = [step for step in steps if step[:2] == (part, int(rest[0]))]
        step = module[int(rest[3]) if rest[1] == 'branches' else -1]
    return steps.index(step), len(steps) + 1
