"""What the machine can do at best, and what it is."""

import platform
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from .options import Options

SECONDS = 0.2  # of trying, for each way
COPY_BYTES = {'cpu': 2**28, 'cuda': 2**30}  # more than any cache holds
GEMM_SIZES = {'cpu': (1024, 2048), 'cuda': (4096, 8192)}
CONV_CHANNELS = {'cpu': (256, 512), 'cuda': (1024, 2048)}
CONV_SIDE = {'cpu': 64, 'cuda': 128}


def gemm_rate(device: str, dtype: torch.dtype) -> float:
    """The most operations per second (a multiply-add is two) of a matrix product.

    It is the best of some sizes of `torch.mm` and of 1x1 convolutions on channels-last maps: on the CPU the second is
    oneDNN's, and the first MKL's, which takes twice the time on AMD.
    """
    return max(operations / _best_seconds(call, device) for operations, call in _products(device, dtype))


def _products(device: str, dtype: torch.dtype) -> Iterator[tuple[int, Callable[[], Any]]]:
    options: dict[str, Any] = dict(device=device, dtype=dtype)
    for n in GEMM_SIZES[device]:
        a, b, out = (torch.rand(n, n, **options) for _ in range(3))
        yield 2 * n**3, lambda: torch.mm(a, b, out=out)
    for channels in CONV_CHANNELS[device]:
        side = CONV_SIDE[device]
        x = torch.rand(1, channels, side, side, **options).contiguous(memory_format=torch.channels_last)
        weight = torch.rand(channels, channels, 1, 1, **options)
        yield 2 * channels**2 * side**2, lambda: F.conv2d(x, weight)


def copy_bandwidth(device: str) -> float:
    """Bytes read and written per second by a copy."""
    source = torch.ones(COPY_BYTES[device], dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * COPY_BYTES[device] / _best_seconds(lambda: target.copy_(source), device)


@torch.no_grad()
def _best_seconds(call: Callable[[], Any], device: str) -> float:
    synchronize = synchronizer(device)
    call()
    best, end = float('inf'), time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        synchronize()
        start = time.perf_counter()
        call()
        synchronize()
        best = min(best, time.perf_counter() - start)
    return best


def synchronizer(device: str) -> Callable[[], None]:
    """What waits until a device has done its work."""
    return torch.cuda.synchronize if device == 'cuda' else lambda: None


def environment(options: Options) -> dict[str, Any]:
    """Machine and software, as they stand beside the figures."""
    found: dict[str, Any] = dict(device=options.device, cpu=_cpu_name(), torch=torch.__version__)
    for name in ('mmpose', 'mmsegmentation', 'mmpretrain'):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    if options.device == 'cuda':
        found.update(gpu=torch.cuda.get_device_name(), cuda=torch.version.cuda, cudnn=torch.backends.cudnn.version(),
                     tf32=dict(matmul=torch.backends.cuda.matmul.allow_tf32, conv=torch.backends.cudnn.allow_tf32))
    else:
        found.update(threads=torch.get_num_threads(), capability=torch.backends.cpu.get_cpu_capability())
    return found


def _cpu_name() -> str:
    information = Path('/proc/cpuinfo')
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor() or platform.machine()
