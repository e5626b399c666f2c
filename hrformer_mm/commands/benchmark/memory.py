"""The peak of the memory that a step's tensors take."""

import os
from collections.abc import Callable
from itertools import accumulate
from typing import Any

import torch
from torch import nn


def peak_bytes(step: Callable[[], Any], device: str) -> int:
    """The most bytes of tensors alive at a time during a step, over what was alive before.

    On CUDA it is what the caching allocator counts. On the CPU it is the sum over every allocation and release that
    the profiler sees: exact for tensors, without what oneDNN takes for itself.
    """
    if device == 'cuda':
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    # Where torch is built for CUDA and there is no GPU, the profiler would print an error that is none.
    os.environ.setdefault('KINETO_LOG_LEVEL', '5')
    with torch.autograd.profiler.profile(profile_memory=True) as profile:
        step()
    events = [event for event in profile.kineto_results.events() if event.name() == '[memory]']
    return max(accumulate(event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())), default=0)


def held_bytes(model: nn.Module) -> int:
    """Bytes of the tensors that the modules of a model hold, each block of memory counted once.

    These are parameters, buffers, and weights in oneDNN's layout (without its padding), which have no storage that
    could be asked. What a compiler keeps beside them is not seen.
    """
    held = [*model.parameters(), *model.buffers()]
    held += [value for module in model.modules() for value in vars(module).values() if isinstance(value, torch.Tensor)]
    blocks = {}
    for tensor in held:
        if tensor.is_mkldnn:
            blocks[id(tensor)] = tensor.numel() * tensor.element_size()
        else:
            blocks[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
    return sum(blocks.values())
