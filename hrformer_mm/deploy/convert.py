"""From a trained model to its deployment form."""

import copy
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, Union

import torch
from torch import nn

from ..layers import HRFormerBlock, PointwiseConv
from ..models import HRFormer
from .blocks import DeployBlock
from .compiling import compile_frozen
from .fold import fold_batch_norms
from .packed_conv import PackedConv

Model = TypeVar('Model', bound=nn.Module)


def to_deploy(model: Model, compile: Union[bool, dict[str, Any]] = False) -> Model:
    """Make a copy of a model for inference, with the same inputs and outputs.

    Batch norms are folded into convolutions; the weights of convolutions and projections are laid out for the CPU's
    library, with GELU in the same step; attention has its scale in the projection, heads padded to a multiple of 8
    channels, and its bias looked up once.

    Args:
        model (nn.Module): The backbone, or any model that contains it; it is unchanged.
        compile (bool | dict): Compile the backbone at its first call for every new size, or the arguments of
            torch.compile. Default: False; of the arguments: dynamic=False.

    Returns:
        nn.Module: In evaluation mode, without gradients, on the device and in the dtype of the model.

    Raises:
        TypeError, ValueError: If the model contains no HRFormer or is in the deployment form already, or if `compile`
            is neither a bool nor a dict.
    """
    if not isinstance(compile, (bool, Mapping)):
        raise TypeError(f'compile must be True, False or a dict of arguments of torch.compile, but is {compile!r}')
    if is_deployed(model):
        raise ValueError(f'{type(model).__name__} is in the deployment form already: use it as it is, or convert the '
                         'model that it was made from')
    if not can_deploy(model):
        raise ValueError(f'{type(model).__name__} contains no hrformer_mm.HRFormer')
    with torch.inference_mode(False):  # tensors of that mode have no version, by which packed weights are kept current
        model = copy.deepcopy(model).eval().requires_grad_(False)
        fold_batch_norms(model)
        _replace(model, HRFormerBlock, DeployBlock)
        if 'hrformer_mm.models.ocr_head' in sys.modules:  # it needs mmseg
            from .ocr import DeployOCRHead, OCRHead
            _replace(model, OCRHead, lambda head: DeployOCRHead(head) if head.version == 'v2' else head)
        _replace(model, nn.Conv2d, lambda conv: PackedConv(conv) if _can_pack(conv) else conv)
    if compile is not False:
        for backbone in model.modules():
            if isinstance(backbone, HRFormer):
                compile_frozen(backbone, dict(dynamic=False) if compile is True else compile)
    return model.eval()


def is_deployed(model: nn.Module) -> bool:
    """Return whether a model is in the deployment form."""
    return any(isinstance(module, DeployBlock) for module in model.modules())


def can_deploy(model: nn.Module) -> bool:
    """Return whether a model contains an HRFormer that is not in the deployment form."""
    return not is_deployed(model) and any(isinstance(module, HRFormer) for module in model.modules())


def _replace(model: nn.Module, kind: type, replacement: Callable[[Any], nn.Module]) -> None:
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, kind):
                module._modules[name] = replacement(child)


def _can_pack(conv: nn.Conv2d) -> bool:
    return (type(conv) in (nn.Conv2d, PointwiseConv) and conv.padding_mode == 'zeros'
            and not isinstance(conv.padding, str))
