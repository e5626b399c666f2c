"""Folding batch norms of evaluation mode into the convolutions before them."""

from collections.abc import Iterator

from mmcv.cnn import ConvModule
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..layers import Bottleneck, DepthwiseFFN
from ..models import HRFormer


def fold_batch_norms(model: nn.Module) -> None:
    """Replace every batch norm that directly follows its convolution by `nn.Identity`, and fold it into the convolution.

    This covers `nn.Sequential`, mmcv's `ConvModule` and the parts of HRFormer. The order of the children of other modules
    says nothing about the order of computation, so they are unchanged.
    """
    for module in list(model.modules()):
        for conv, norm in list(_pairs(module)):
            dtype = module._modules[conv].weight.dtype
            # In float64, so that the products are rounded once.
            fused = fuse_conv_bn_eval(module._modules[conv].double(), module._modules[norm].double())
            module._modules[conv] = fused.to(dtype)
            module._modules[norm] = nn.Identity()


def _pairs(module: nn.Module) -> Iterator[tuple[str, str]]:
    known = isinstance(module, (nn.Sequential, HRFormer, Bottleneck, DepthwiseFFN))
    if isinstance(module, ConvModule):
        known = module.order[:2] == ('conv', 'norm')
    children = list(module.named_children()) if known else []
    for (name, child), (following, norm) in zip(children, children[1:]):
        if isinstance(child, nn.Conv2d) and isinstance(norm, _BatchNorm) and norm.running_mean is not None:
            yield name, following
