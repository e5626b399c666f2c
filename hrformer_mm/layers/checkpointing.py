"""Activation checkpointing that updates the statistics of batch norms once."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

# What `with_cp` accepts: nothing is recomputed; everything within a block; all but its convolutions and projections.
CHECKPOINTING = (False, True, 'cheap')
_EXPENSIVE = (torch.ops.aten.convolution.default, torch.ops.aten.addmm.default, torch.ops.aten.mm.default)


def run_checkpointed(function: Callable[[Tensor], Tensor], x: Tensor, with_cp: bool | str, module: nn.Module) -> Tensor:
    """Call a function, and recompute its activations in the backward pass.

    The recomputation draws the same random numbers, and does not update the running statistics of batch norms again.

    Args:
        function (callable): A module, or a function that calls one.
        x (Tensor): Its input.
        with_cp (bool | str): True: save only the input. 'cheap': save the outputs of convolutions and projections too,
            and recompute norms, activations and attention. False: call the function without checkpointing.
        module (nn.Module): The module that holds the batch norms.
    """
    if not with_cp or not torch.is_grad_enabled():
        return function(x)
    return checkpoint(function, x, use_reentrant=False, context_fn=partial(_contexts, module, with_cp == 'cheap'))


class CheckpointedSequential(nn.Sequential):
    """An `nn.Sequential` that calls each of its modules by :func:`run_checkpointed`.

    Args:
        *modules (nn.Module): The modules.
        with_cp (bool | str): See :func:`run_checkpointed`. Default: False.
    """

    def __init__(self, *modules: nn.Module, with_cp: bool | str = False) -> None:
        super().__init__(*modules)
        self.with_cp = with_cp

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to what the last module returns."""
        for module in self:
            x = run_checkpointed(module, x, self.with_cp, module)
        return x


def _contexts(module: nn.Module, selective: bool) -> tuple[AbstractContextManager, AbstractContextManager]:
    forward, recompute = create_selective_checkpoint_contexts(_policy) if selective else (nullcontext(), nullcontext())
    return forward, _frozen_statistics(module, recompute)


def _policy(context: Any, op: Any, *args: Any, **kwargs: Any) -> CheckpointPolicy:
    return CheckpointPolicy.MUST_SAVE if op in _EXPENSIVE else CheckpointPolicy.PREFER_RECOMPUTE


@contextmanager
def _frozen_statistics(module: nn.Module, recompute: AbstractContextManager) -> Iterator[None]:
    norms = [m for m in module.modules() if isinstance(m, _BatchNorm)]
    saved = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        # The statistics stay inputs, so that the recomputation saves the same tensors, but with a weight of 0; the
        # counter is a copy, since SyncBatchNorm needs one.
        norm.momentum = 0.0
        norm.num_batches_tracked = None if norm.num_batches_tracked is None else norm.num_batches_tracked.clone()
    try:
        with recompute:
            yield
    finally:
        for norm, (momentum, count) in zip(norms, saved):
            norm.momentum, norm.num_batches_tracked = momentum, count
