"""Measure time, memory, operations, and the rate of matrix products."""

import copy
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import metadata
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.benchmark import Timer
from torch.utils.flop_counter import FlopCounterMode

WARM_UP = 2  # runs that are not measured
GEMM_SECONDS = 0.2  # per shape


def alternate(
    steps: Sequence[Callable[[], Any]], runs: int, device: str, progress: Callable[[Iterable], Iterable] = iter
) -> list[list[float]]:
    """Measure `runs` runs of each step in milliseconds. The steps alternate."""
    synchronize = torch.cuda.synchronize if device == 'cuda' else lambda: None
    times: list[list[float]] = [[] for _ in steps]
    for _ in progress(range(WARM_UP + runs)):
        for own, step in zip(times, steps):
            synchronize()
            start = time.perf_counter()
            step()
            synchronize()
            own.append(1000 * (time.perf_counter() - start))
    return [own[WARM_UP:] for own in times]


def peak_bytes(step: Callable[[], Any], device: str) -> int:
    """Return the peak memory that a step allocates for tensors.

    On CUDA, the caching allocator counts it. On the CPU, it is the running sum of the allocations and releases that the
    profiler records. It is exact for tensors, so that models can be compared, but excludes oneDNN's scratch memory.
    """
    if device == 'cuda':
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    # Otherwise, a CUDA build of torch logs an error on a machine without a GPU.
    os.environ.setdefault('KINETO_LOG_LEVEL', '5')
    with torch.autograd.profiler.profile(profile_memory=True) as profile:
        step()
    events = [event for event in profile.kineto_results.events() if event.name() == '[memory]']
    return max(accumulate(event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())), default=0)


def held_bytes(model: nn.Module) -> int:
    """Return the bytes of parameters, buffers and packed weights. Shared storage counts once."""
    held = [*model.parameters(), *model.buffers()]
    held += [value for module in model.modules() for value in vars(module).values() if isinstance(value, Tensor)]
    storages = {}
    for tensor in held:
        if tensor.is_mkldnn:  # has no accessible storage
            storages[id(tensor)] = tensor.numel() * tensor.element_size()
        else:
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
    return sum(storages.values())


def operations(model: nn.Module, forward: Callable[[nn.Module, Tensor], Any], x: Tensor) -> int:
    """Count the multiplications and additions of matrix products and convolutions in a forward pass."""
    model = copy.deepcopy(model).to('meta')
    model.eval()  # eval() of mmpose's HRFormer returns None
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        forward(model, x.to('meta'))
    return counter.get_total_flops()


def gemm_rate(device: str, dtype: torch.dtype) -> float:
    """Measure the operations per second of the fastest matrix product. A multiply-add counts as two operations.

    Both 1x1 convolutions and `torch.mm` are measured: on the CPU, the former run in oneDNN, the latter in MKL, which is
    slower on AMD.
    """
    return max(
        count
        / min(
            Timer('call()', globals=dict(call=call), num_threads=torch.get_num_threads())
            .blocked_autorange(min_run_time=GEMM_SECONDS)
            .times
        )
        for count, call in _products(device, dtype)
    )


def _products(device: str, dtype: torch.dtype) -> Iterator[tuple[int, Callable[[], Any]]]:
    scale = 4 if device == 'cuda' else 1
    for n in (1024 * scale, 2048 * scale):
        a, b = (torch.rand(n, n, device=device, dtype=dtype) for _ in range(2))
        yield 2 * n**3, lambda: a @ b
    for channels in (256 * scale, 512 * scale):
        x = torch.rand(1, channels, 64, 64 * scale, device=device, dtype=dtype).to(memory_format=torch.channels_last)
        weight = torch.rand(channels, channels, 1, 1, device=device, dtype=dtype)
        yield 2 * channels * x.numel(), lambda: F.conv2d(x, weight)


def environment(device: str) -> dict[str, Any]:
    """Describe the machine and the versions of the libraries."""
    versions = {name: metadata.version(name) for name in ('torch', 'mmpose')}
    if device == 'cuda':
        return dict(machine=torch.cuda.get_device_name(), cuda=torch.version.cuda, **versions)
    cpuinfo = Path('/proc/cpuinfo')
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    cpu = next((line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')), platform.machine())
    capability, threads = torch.backends.cpu.get_cpu_capability(), torch.get_num_threads()
    return dict(machine=f'{cpu}, {capability}, {threads} threads', **versions)
