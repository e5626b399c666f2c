"""torch.compile for inference."""

from collections.abc import Mapping
from typing import Any

from torch import nn


def compile_frozen(module: nn.Module, arguments: Mapping[str, Any]) -> None:
    """Compile a module at its first call for every new size, with its weights as constants.

    The compiler lays out only constants ahead of the calls, and only fuses GELU into a convolution with a constant
    weight, on the CPU. The option must be set while the module is called: as an argument of torch.compile it comes too
    late for the tracer, and weights become inputs of the graph.

    Args:
        module (nn.Module): Its calls without gradients are compiled; parameters, names and copies are unchanged.
        arguments (Mapping): Arguments of torch.compile.
    """
    from torch._inductor import config  # takes a second to import

    module.compile(**arguments)
    compiled = module._compiled_call_impl

    def call(*args: Any, **kwargs: Any) -> Any:
        with config.patch(freezing=True):
            return compiled(*args, **kwargs)

    module._compiled_call_impl = call
