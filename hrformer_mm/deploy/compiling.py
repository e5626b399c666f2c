"""torch.compile for inference."""

from collections.abc import Mapping
from typing import Any

from torch import nn


def compile_frozen(module: nn.Module, arguments: Mapping[str, Any]) -> None:
    """Have a module compiled at its first call for every new size, with its weights taken for constants.

    Only constants are laid out ahead of the calls, and only before constants does a convolution take its GELU along,
    on the CPU. The option has to be in force while the module is called: as an argument of torch.compile it comes
    too late for the tracer, and weights are inputs of the graph after all.

    Args:
        module (nn.Module): Its calls without gradients are compiled; parameters, names and copies stay what they are.
        arguments (Mapping): Of torch.compile.
    """
    from torch._inductor import config  # takes a second, and only who compiles needs it
    module.compile(**arguments)
    compiled = module._compiled_call_impl

    def call(*args: Any, **kwargs: Any) -> Any:
        with config.patch(freezing=True):
            return compiled(*args, **kwargs)

    module._compiled_call_impl = call
