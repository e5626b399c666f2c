"""What flows through a backbone, taken by hooks while it runs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from ...layers import HRFormerBlock
from ...models import HRFormer


@contextmanager
def recording(modules: Mapping[Any, nn.Module], inputs: bool = False) -> Iterator[dict[Any, Tensor]]:
    """Keep the output (or first input) of each module's last call, under the module's key."""
    kept: dict[Any, Tensor] = {}

    def keep(key: Any) -> Any:
        if inputs:
            return lambda module, args: kept.update({key: args[0]})
        return lambda module, args, output: kept.update({key: output})

    handles = [module.register_forward_pre_hook(keep(key)) if inputs else module.register_forward_hook(keep(key))
               for key, module in modules.items()]
    try:
        yield kept
    finally:
        for handle in handles:
            handle.remove()


def last_streams(backbone: HRFormer, images: Tensor) -> list[Tensor]:
    """All four streams at the end, whatever `out_indices` names.

    Args:
        backbone (HRFormer): The backbone.
        images (Tensor): (N, C, H, W), normalised.

    Returns:
        list[Tensor]: (N, C_i, H_i, W_i): the backbone's outputs, and of a stream that is none, what the last block
        gives, before the exchange between streams, which computes outputs alone.
    """
    branches = backbone.stage4[-1].branches
    with recording({i: branch[-1] for i, branch in enumerate(branches)}) as maps:
        # Not the call: a compiled backbone would run no hooks.
        outputs = backbone.forward(images)
    maps.update(zip(backbone.out_indices, outputs))
    return [maps[i] for i in range(len(branches))]


def find_blocks(backbone: HRFormer, stage: int, module: int, block: int) -> list[HRFormerBlock]:
    """A block of each stream.

    Args:
        backbone (HRFormer): The backbone.
        stage (int): 2, 3 or 4.
        module (int): Of the stage, from 0.
        block (int): Of each stream of the module, from 0.

    Raises:
        ValueError: If there is no such block, with what is allowed.
    """
    if stage not in (2, 3, 4):
        raise ValueError(f'the stage is {stage}, but must be 2, 3 or 4: those with attention')
    modules = backbone.get_submodule(f'stage{stage}')
    check_number('module', module, len(modules), f'stage {stage}')
    check_number('block', block, len(modules[module].branches[0]), f'each stream of a module of stage {stage}')
    return [branch[block] for branch in modules[module].branches]


def check_number(name: str, value: int, count: int, owner: str) -> None:
    """Raises ValueError unless `value` is below `count`, and not negative."""
    if not 0 <= value < count:
        allowed = '0' if count == 1 else f'0 to {count - 1}'
        raise ValueError(f'the {name} is {value}, but must be {allowed}: {owner} has {count}')
