"""Activation checkpointing that leaves no trace in the statistics of batch norms."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def run_blocks(blocks: nn.Sequential, x: Tensor, with_cp: bool) -> Tensor:
    """Run blocks in a row, each checkpointed if `with_cp` is set."""
    for block in blocks:
        x = checkpointed(block, x, owner=block) if with_cp else block(x)
    return x


def checkpointed(function: Callable[[Tensor], Tensor], x: Tensor, owner: nn.Module) -> Tensor:
    """Run `function`, keep only its input, and run it once more in the backward pass.

    The second run draws the same random numbers as the first, and does not update the running statistics of the
    batch norms in `owner`, which the first has updated. Where no gradients are recorded it is a plain call.
    """
    if not torch.is_grad_enabled():
        return function(x)
    return checkpoint(function, x, use_reentrant=False, context_fn=lambda: (nullcontext(), _statistics_kept(owner)))


@contextmanager
def _statistics_kept(owner: nn.Module) -> Iterator[None]:
    norms = [m for m in owner.modules() if isinstance(m, _BatchNorm)]
    kept = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        # The statistics still go in, so that the second run saves the same tensors, but with no weight; and it counts
        # on a copy, since a SyncBatchNorm insists on a counter.
        norm.momentum = 0.0
        norm.num_batches_tracked = None if norm.num_batches_tracked is None else norm.num_batches_tracked.clone()
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, kept):
            norm.momentum, norm.num_batches_tracked = momentum, count
