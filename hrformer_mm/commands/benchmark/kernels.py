"""Whether the Triton kernels are right on this machine, before anything is timed with them."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ...deploy import to_deploy
from ...kernels import usable
from ...models import HRFormer
from ...ops import set_attention_backend, set_block_backend, window_attention
from .attention import WINDOWS
from .contender import randomize

BOUND = 1e-2  # of attention in 16 bits, against float64
WORSE = 2  # than PyTorch's operators in the same dtype, against float64: what a network's errors may be
# Channels and maps that are no multiples of anything, and three streams with an exchange between all of them.
NETWORK = dict(num_modules=(1, 1, 1, 1), channels=(18, 36, 78, 156), num_heads=(1, 2, 2, 4), num_blocks=1)
SIZE = (96, 72)


def choose_backends(device: str) -> dict[str, tuple[str, str]]:
    """For attention and for blocks: Triton's kernels where they run and are right here, else 'auto'; and why."""
    on = torch.device(device, torch.cuda.current_device()) if device == 'cuda' else torch.device(device)
    if device != 'cuda' or not usable(on):
        return dict.fromkeys(('attention', 'blocks'), ('auto', 'the Triton kernels do not run here'))
    return {'attention': _choose(lambda: max(attention_error(on, window) for window in WINDOWS), BOUND),
            'blocks': _choose(lambda: block_error(on), WORSE)}


def _choose(measure: Callable[[], float], bound: float) -> tuple[str, str]:
    try:
        error = measure()
    except Exception as failure:  # a compiler or driver that does not know the card fails in its own way
        return 'auto', f'the Triton kernels fail: {type(failure).__name__}: {failure}'
    if not error < bound:
        return 'auto', f'the Triton kernels are wrong by {error:.1e}'
    return 'triton', f'error {error:.1e}'


def attention_error(device: torch.device, window: int) -> float:
    """Of output and gradients of two heads of 39 channels, to the formula in float64; over their norms."""
    shapes = (1, 2 * window - 1, 2 * window + 3, 234), (234, ), (2, window**2, window**2)
    inputs = [torch.randn(shape, device=device).bfloat16() for shape in shapes]
    found = []
    for backend, dtype in (('triton', torch.bfloat16), ('plain', torch.float64)):
        leaves = [x.detach().to(dtype).requires_grad_() for x in inputs]
        previous = set_attention_backend(backend)
        try:
            out = window_attention(leaves[0], leaves[1], 2, (window, window), leaves[2])
        finally:
            set_attention_backend(previous)
        found.append([out, *torch.autograd.grad(out.square().sum(), leaves)])
    return _error(*found)


def block_error(device: torch.device, size: tuple[int, int] = SIZE) -> float:
    """Of the maps of a small network for inference, and of its gradients in training: the error of the kernels over
    that of PyTorch's operators, both in bfloat16 and to float64; the larger of the two."""
    model = HRFormer(arch=NETWORK).to(device)
    randomize(model)
    x, ratios = torch.randn(2, 3, *size, device=device), []
    for results in (_inference, _training):
        found = []
        for backend, dtype in (('triton', torch.bfloat16), ('torch', torch.bfloat16), ('torch', torch.float64)):
            previous = set_block_backend(backend)
            try:
                found.append(results(model.to(dtype), x.to(dtype)))
            finally:
                set_block_backend(previous)
                model.to(torch.float32)
        ratios.append(_error(found[0], found[2]) / _error(found[1], found[2]))
    return max(ratios) if all(map(math.isfinite, ratios)) else math.inf


def _inference(model: nn.Module, x: Tensor) -> list[Tensor]:
    with torch.no_grad():
        return [torch.cat([y.flatten() for y in to_deploy(model)(x)])]


def _training(model: nn.Module, x: Tensor) -> list[Tensor]:
    model.train()
    outputs = model(x)
    grads = torch.autograd.grad(sum(y.square().mean() for y in outputs), list(model.parameters()))
    return [torch.cat([y.detach().flatten() for y in outputs]), torch.cat([grad.flatten() for grad in grads])]


def _error(found: list[Tensor], expected: list[Tensor]) -> float:
    errors = [((a - b).norm() / b.norm()).item() for a, b in zip(found, expected)]
    return max(errors) if all(map(math.isfinite, errors)) else math.inf
