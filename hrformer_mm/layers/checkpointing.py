"""Activation checkpointing that updates the running statistics of batch norms only once."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

CHECKPOINTING = (False, True, 'cheap')  # values of `with_cp`, see `run_checkpointed`
_EXPENSIVE = (torch.ops.aten.convolution.default, torch.ops.aten.addmm.default, torch.ops.aten.mm.default)


def run_checkpointed(function: Callable[[Tensor], Tensor], x: Tensor, with_cp: bool | str, module: nn.Module) -> Tensor:
    """Call a function and recompute its activations in the backward pass.

    The recomputation draws the same random numbers and does not update the running statistics of batch norms again.

    Args:
        function (callable): Module, or function that calls a module.
        x (Tensor): Input of the function.
        with_cp (bool | str): True saves only the input for backward. 'cheap' also saves the outputs of convolutions
            and projections, and recomputes norms, activations and attention. False disables checkpointing.
        module (nn.Module): Module that contains the batch norms.
    """
    if not with_cp or not torch.is_grad_enabled():
        return function(x)
    return checkpoint(function, x, use_reentrant=False, context_fn=partial(_contexts, module, with_cp == 'cheap'))


class CheckpointedSequential(nn.Sequential):
    """`nn.Sequential` that calls each of its modules with :func:`run_checkpointed`.

    Args:
        *modules (nn.Module): Modules to chain.
        with_cp (bool | str): See :func:`run_checkpointed`. Default: False.
    """

    def __init__(self, *modules: nn.Module, with_cp: bool | str = False) -> None:
        super().__init__(*modules)
        self.with_cp = with_cp

    def forward(self, x: Tensor) -> Tensor:
        """Apply all modules to a map (N, C, H, W) and return the output of the last one."""
        for module in self:
            x = run_checkpointed(module, x, self.with_cp, module)
        return x


def _contexts(module: nn.Module, selective: bool) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    forward, recompute = create_selective_checkpoint_contexts(_policy) if selective else (nullcontext(), nullcontext())
    return forward, _frozen_statistics(module, recompute)


def _policy(context: Any, op: Any, *args: Any, **kwargs: Any) -> CheckpointPolicy:
    return CheckpointPolicy.MUST_SAVE if op in _EXPENSIVE else CheckpointPolicy.PREFER_RECOMPUTE


@contextmanager
def _frozen_statistics(module: nn.Module, recompute: AbstractContextManager[None]) -> Iterator[None]:
    norms = [m for m in module.modules() if isinstance(m, _BatchNorm)]
    saved = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        # A momentum of 0 leaves the statistics unchanged but in use, so that the recomputation saves the same tensors.
        # SyncBatchNorm requires a counter, so the recomputation increments a copy.
        norm.momentum = 0.0
        norm.num_batches_tracked = None if norm.num_batches_tracked is None else norm.num_batches_tracked.clone()
    try:
        with recompute:
            yield
    finally:
        for norm, (momentum, count) in zip(norms, saved):
            norm.momentum, norm.num_batches_tracked = momentum, count
