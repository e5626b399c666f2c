"""From a model that trains to its form for inference."""

import copy
from collections.abc import Mapping
from typing import Any, TypeVar, Union

from torch import nn

from ..layers import HRFormerBlock, PointwiseConv
from ..models import HRFormer
from .blocks import DeployBlock
from .compiling import compile_frozen
from .cuda_graphs import replay_calls
from .fold import fold_batch_norms
from .packed_conv import PackedConv

Model = TypeVar('Model', bound=nn.Module)


def to_deploy(model: Model, compile: Union[bool, dict[str, Any]] = False, cuda_graphs: bool = False) -> Model:
    """A copy for inference, with the same inputs and outputs.

    Batch norms are folded into convolutions; convolutions and projections have weights laid out for the CPU's
    library, with GELU in the same step; attention has its scale in the projection, heads padded to a multiple of 8
    channels, and its bias looked up once.

    Args:
        model (nn.Module): The backbone, or any model on it; it stays as it is.
        compile (bool | dict): Whether the backbone is compiled at its first call for every new size, or the arguments
            of torch.compile. Default of these: dynamic=False.
        cuda_graphs (bool): Whether on CUDA the backbone is recorded at its second call for every size, and replayed
            from then on: a single launch, where small batches otherwise wait for the host.

    Returns:
        nn.Module: In evaluation mode, without gradients, for the device and dtype of the model.

    Raises:
        TypeError, ValueError: If there is no HRFormer in the model, if the model is in this form already, if `compile`
            is neither a bool nor a dict, or if the model is both to be compiled and recorded.
    """
    if not isinstance(compile, (bool, Mapping)):
        raise TypeError(f'compile must be True, False or a dict of arguments of torch.compile, but is {compile!r}')
    if compile is not False and cuda_graphs:
        raise ValueError('cuda_graphs records what is not compiled: leave one of cuda_graphs and compile out '
                         "(compile=dict(mode='reduce-overhead') does both)")
    if not any(isinstance(module, HRFormer) for module in model.modules()):
        raise ValueError(f'{type(model).__name__} has no hrformer_mm.HRFormer in it')
    if any(isinstance(module, DeployBlock) for module in model.modules()):
        raise ValueError(f'{type(model).__name__} is in its form for inference already: take it as it is, or the model '
                         'that it was made of')
    model = copy.deepcopy(model).eval().requires_grad_(False)
    fold_batch_norms(model)
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, HRFormerBlock):
                module._modules[name] = DeployBlock(child).eval()
    for module in list(model.modules()):
        for name, child in module.named_children():
            if (type(child) in (nn.Conv2d, PointwiseConv) and child.padding_mode == 'zeros'
                    and not isinstance(child.padding, str)):
                module._modules[name] = PackedConv(child)
    if compile is not False:
        for backbone in (module for module in model.modules() if isinstance(module, HRFormer)):
            compile_frozen(backbone, dict(dynamic=False) if compile is True else compile)
    if cuda_graphs:
        for backbone in (module for module in model.modules() if isinstance(module, HRFormer)):
            replay_calls(backbone)
    return model
