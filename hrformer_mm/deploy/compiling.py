"""Compilation of a module for inference."""

from collections.abc import Mapping
from typing import Any

from torch import nn


def compile_frozen(module: nn.Module, arguments: Mapping[str, Any]) -> None:
    """Compile a module with its weights as constants at the first call for each input size.

    On the CPU, the compiler packs weights in advance and fuses GELU into a convolution only if the weights are
    constants. Inductor's option `freezing` must be set while the module is called: as an argument of torch.compile it
    would take effect after tracing, when the weights are already inputs of the graph.

    Args:
        module (nn.Module): Module to compile in place. Parameters and their names do not change.
        arguments (Mapping): Arguments of torch.compile.
    """
    from torch._inductor import config  # takes a second to import

    module.compile(**arguments)
    compiled: Any = module._compiled_call_impl

    def call(*args: Any, **kwargs: Any) -> Any:
        with config.patch(freezing=True):
            return compiled(*args, **kwargs)

    module._compiled_call_impl = call
