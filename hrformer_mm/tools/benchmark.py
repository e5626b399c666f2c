"""Ours against mmpose's HRFormer: one process, the same weights, turn by turn."""

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Optional

import torch
from torch import Tensor, nn

from ..deploy import to_deploy
from ..models import HRFormer
from ..models.arch import ARCHS, DEFAULTS

WARM_UP = 2  # runs that are not counted


@dataclass(frozen=True)
class Row:
    """A contender: its times over all counted runs, in milliseconds; the relative error of its outputs to the first's;
    and in training what it keeps for the backward pass, parameters aside, in MiB."""
    name: str
    median: float
    lowest: float
    highest: float
    times_as_fast: float
    error: float
    kept: Optional[float] = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def mmpose_extra(arch: str) -> dict[str, Any]:
    """A variant in the form of mmpose's configs, all four maps given."""
    variant = {**DEFAULTS, **ARCHS[arch]}
    extra: dict[str, Any] = dict(
        drop_path_rate=0.0,
        stage1=dict(num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(2, ), num_channels=(64, )))
    for n in (2, 3, 4):
        extra[f'stage{n}'] = dict(
            num_modules=variant['num_modules'][n - 1], num_branches=n, block='HRFORMERBLOCK',
            num_blocks=(variant['num_blocks'], ) * n, num_channels=variant['channels'][:n],
            num_heads=variant['num_heads'][:n], mlp_ratios=(variant['mlp_ratio'], ) * n, window_sizes=(7, ) * n,
            multiscale_output=True)
    return extra


def benchmark(arch: str, size: tuple[int, int], batch: int = 1, train: bool = False, bf16: bool = False,
              runs: int = 10, progress: Optional[Callable[[Iterable], Iterable]] = None) -> list[Row]:
    """Time forward passes, or forward and backward passes, on the CPU.

    Args:
        arch (str): 'tiny', 'small' or 'base'.
        size (tuple[int, int]): Height and width of the images; mmpose takes multiples of 32 alone.
        batch (int): Images at a time.
        train (bool): Whether to time a training step, forward and backward, with our two ways to save memory in
            place of the deployment form.
        bf16 (bool): Whether to use bfloat16: autocast, and for the deployment form weights and images.
        runs (int): Counted runs of each contender.
        progress (callable, optional): Goes around the iteration over runs.

    Returns:
        list[Row]: mmpose's first.

    Raises:
        ImportError: If mmpose is not installed.
    """
    from mmpose.models.backbones import HRFormer as Peer
    extra = mmpose_extra(arch)
    ours = HRFormer(extra=extra)
    for name, value in ours.named_buffers():
        if name.endswith('running_var'):
            value.uniform_(0.5, 1.5)
        elif name.endswith('running_mean'):
            value.normal_(0, 0.2)
    theirs = Peer(extra)
    theirs.load_state_dict(ours.state_dict())
    models: dict[str, nn.Module] = {"mmpose's HRFormer": theirs, 'hrformer_mm': ours}
    if train:
        for with_cp in ('cheap', True):
            saving = HRFormer(extra=extra, with_cp=with_cp)
            saving.load_state_dict(ours.state_dict())
            models[f'hrformer_mm, with_cp={with_cp!r}'] = saving
    for model in models.values():
        model.train(train)
    x = torch.randn(batch, ours.in_channels, *size)
    calls = {name: _call(model, x, train, bf16) for name, model in models.items()}
    if not train:
        dtype = torch.bfloat16 if bf16 else torch.float32
        calls['hrformer_mm, deployment form'] = _call(to_deploy(ours).to(dtype), x.to(dtype), False, False)

    outputs = {name: call() for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in (progress or iter)(range(WARM_UP + runs)):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(1000 * (time.perf_counter() - start))
    first = next(iter(calls))
    medians = {name: statistics.median(values[WARM_UP:]) for name, values in times.items()}
    return [Row(name, medians[name], min(values[WARM_UP:]), max(values[WARM_UP:]), medians[first] / medians[name],
                _error(outputs[name], outputs[first]), _kept(models[name], x) if train else None)
            for name, values in times.items()]


def _call(model: nn.Module, x: Tensor, train: bool, autocast: bool) -> Callable[[], tuple[Tensor, ...]]:

    def call() -> tuple[Tensor, ...]:
        with torch.set_grad_enabled(train), torch.autocast('cpu', torch.bfloat16, enabled=autocast):
            maps = model(x)
        if train:
            model.zero_grad()
            sum(y.float().square().mean() for y in maps).backward()
        return tuple(y.detach().float() for y in maps)

    return call


def _kept(model: nn.Module, x: Tensor) -> float:
    """What a forward pass keeps for the backward pass, each block of memory counted once."""
    storages: dict[int, torch.UntypedStorage] = {}

    def note(tensor: Tensor) -> Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        model(x)
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    return sum(storage.nbytes() for address, storage in storages.items() if address not in own) / 2**20


def _error(out: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> float:
    return max(((a - b).norm() / b.norm()).item() for a, b in zip(out, expected))
