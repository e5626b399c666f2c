"""Conversion of a trained model to its deployment form."""

import copy
import sys
from collections.abc import Mapping
from typing import Any, TypeVar, cast

import torch
from torch import nn

from ..arguments import check_choice
from ..layers import HRFormerBlock, PointwiseConv
from ..models import ClassificationNeck, HRFormer
from .blocks import DeployBlock
from .compiling import compile_frozen
from .fold import fold_batch_norms
from .openvino import PRECISIONS, OpenVINOModule, import_openvino
from .packed_conv import PackedConv
from .replacing import replace_modules

Model = TypeVar('Model', bound=nn.Module)


def to_deploy(
    model: Model, compile: bool | dict[str, Any] = False, engine: str = 'torch', dtype: str = 'fp32'
) -> Model:
    """Copy a model into its deployment form, a faster model for inference with the same inputs and outputs.

    Batch norms are folded into convolutions. The weights of convolutions and projections are packed for oneDNN and
    fused with GELU. The projections of attention contain its scale and pad each head to a multiple of 8 channels, and
    the relative position bias is computed in advance.

    Args:
        model (nn.Module): Backbone, or any model that contains it. It is not modified.
        compile (bool | dict): Compile the backbone with torch.compile at the first call for each input size. A dict
            holds the arguments of torch.compile; True means dict(dynamic=False). Default: False.
        engine (str): 'torch' or 'openvino'. OpenVINO runs the backbone, the OCR head and the classification neck on
            the CPU, and compiles them at the first call for each input shape. Default: 'torch'.
        dtype (str): Precision in which OpenVINO computes, 'fp32' or 'bf16'; its inputs and outputs keep their dtype.
            The engine 'torch' computes in the dtype of the model. Default: 'fp32'.

    Returns:
        nn.Module: Model in evaluation mode without gradients, on the device and in the dtype of `model`. Modules that
        OpenVINO runs have no parameters and no entries in `state_dict`.

    Raises:
        ImportError: If the engine is not installed.
        TypeError: If `compile` is neither a bool nor a dict.
        ValueError: If the model contains no HRFormer or is already in the deployment form, or if an argument is
            invalid.
    """
    if not isinstance(compile, (bool, Mapping)):
        raise TypeError(f'compile must be True, False or a dict of arguments of torch.compile, but is {compile!r}')
    check_choice('engine', engine, ('torch', 'openvino'))
    check_choice('dtype', dtype, tuple(PRECISIONS))
    if engine == 'torch' and dtype != 'fp32':
        raise ValueError(
            f"dtype is {dtype!r}, but requires engine='openvino': use to_deploy(model).to(torch.bfloat16) with PyTorch"
        )
    if engine == 'openvino':
        import_openvino()
        if compile is not False:
            raise ValueError("compile is incompatible with engine='openvino', which compiles by itself: leave it out")
    if is_deployed(model):
        raise ValueError(
            f'{type(model).__name__} is in the deployment form already: use it unchanged, or convert the model that it '
            'was made from'
        )
    if not can_deploy(model):
        raise ValueError(f'{type(model).__name__} contains no hrformer_mm.HRFormer')
    with torch.inference_mode(False):  # PackedConv needs the version counter, which inference tensors lack
        model = copy.deepcopy(model).eval().requires_grad_(False)
        fold_batch_norms(model)
        replace_modules(model, HRFormerBlock, DeployBlock)
        if 'hrformer_mm.models.ocr_head' in sys.modules:  # importing it requires mmseg
            from ..models.ocr_head import OCRHead
            from .ocr import DeployOCRHead

            replace_modules(model, OCRHead, lambda head: DeployOCRHead(head) if head.version == 'v2' else head)
        replace_modules(model, nn.Conv2d, lambda conv: PackedConv(conv) if _can_pack(conv) else conv)
    if compile is not False:
        for backbone in model.modules():
            if isinstance(backbone, HRFormer):
                compile_frozen(backbone, dict(dynamic=False) if compile is True else compile)
    return (_run_in_openvino(model, dtype) if engine == 'openvino' else model).eval()


def _run_in_openvino(model: Model, dtype: str) -> Model:
    if isinstance(model, HRFormer):
        return cast(Model, OpenVINOModule(model, dtype))
    replace_modules(model, (HRFormer, ClassificationNeck), lambda module: OpenVINOModule(module, dtype))
    if 'hrformer_mm.models.ocr_head' in sys.modules:
        from ..models.ocr_head import OCRHead
        from .ocr import OpenVINOOCRHead

        replace_modules(model, OCRHead, lambda head: OpenVINOOCRHead(head, dtype))
    return model


def is_deployed(model: nn.Module) -> bool:
    """Return whether a model is in the deployment form."""
    return any(isinstance(module, (DeployBlock, OpenVINOModule)) for module in model.modules())


def can_deploy(model: nn.Module) -> bool:
    """Return whether a model contains an HRFormer that is not in the deployment form."""
    return not is_deployed(model) and any(isinstance(module, HRFormer) for module in model.modules())


def _can_pack(conv: nn.Conv2d) -> bool:
    return (
        type(conv) in (nn.Conv2d, PointwiseConv) and conv.padding_mode == 'zeros' and not isinstance(conv.padding, str)
    )
