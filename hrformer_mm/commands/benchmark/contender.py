"""One of those that are compared, and the step that is timed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, Optional

import torch
from torch import Tensor, nn

from .options import Options

OURS = 'hrformer_mm'  # the plain form


@dataclass(frozen=True)
class Contender:
    """A model with its step: images in, feature maps or logits out, and in training gradients.

    Args:
        name (str): In the table.
        model (nn.Module): Holds the weights.
        step (callable): Takes nothing, gives the outputs.
        context (bool): Whether it is another network, whose outputs are not to be compared.
        compiled (bool): Whether the first step compiles.
    """
    name: str
    model: nn.Module
    step: Callable[[], tuple[Tensor, ...]]
    context: bool = False
    compiled: bool = False


def step(model: nn.Module, x: Tensor, options: Options, autocast: Optional[torch.dtype] = None,
         forward: Optional[Callable[[Tensor], Sequence[Tensor]]] = None) -> Callable[[], tuple[Tensor, ...]]:
    """The step of a model; `forward` takes the model's place where it is not the model itself that is called."""
    run = model if forward is None else forward

    def call() -> tuple[Tensor, ...]:
        with torch.set_grad_enabled(options.train), torch.autocast(x.device.type, autocast, autocast is not None):
            outputs = tuple(run(x))
        if options.train:
            sum(y.float().square().mean() for y in outputs).backward()
            model.zero_grad()  # afterwards, so that every step starts without gradients, as memory is counted
        return tuple(y.detach() for y in outputs)

    return call


def compiled(function: Callable[..., Any], options: Options) -> Callable[..., Any]:
    """torch.compile for one size; for inference on the CPU with weights frozen, which is inductor's best there."""
    from torch._inductor import config
    fast = torch.compile(function, dynamic=False)
    freezing = options.device == 'cpu' and not options.train

    def call(*args: Any) -> Any:
        with config.patch(freezing=freezing):
            return fast(*args)

    return call


def randomize(model: nn.Module) -> None:
    """Give what an untrained model has constant (running statistics, position biases) values that show in outputs."""
    for name, value in model.state_dict().items():
        if name.endswith('running_var'):
            value.uniform_(0.5, 1.5)
        elif name.endswith(('running_mean', 'bias_table')):
            value.normal_(0, 0.2)


def require(module: str, distribution: str) -> ModuleType:
    """Import what an option needs.

    Raises:
        ImportError: With the remedy.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(f'{module} is needed and cannot be imported ({error}): pip install {distribution}') from error
