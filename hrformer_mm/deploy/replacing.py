"""Replacement of modules within a model."""

from collections.abc import Callable
from typing import Any

from torch import nn


def replace_modules(model: nn.Module, kind: type | tuple[type, ...], replacement: Callable[[Any], nn.Module]) -> None:
    """Replace all submodules of a type by `replacement(submodule)`."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, kind):
                module._modules[name] = replacement(child)
