"""Folding batch norms into the preceding convolutions."""

from collections.abc import Iterator

from mmcv.cnn import ConvModule
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..layers import Bottleneck, DepthwiseFFN
from ..models import HRFormer


def fold_batch_norms(model: nn.Module) -> None:
    """Fold each batch norm that directly follows a convolution into it, and replace the norm by `nn.Identity`.

    The pairs are those in `nn.Sequential`, in mmcv's `ConvModule` and in the parts of HRFormer. Other modules remain
    unchanged, because the order of their children need not be the order of computation.
    """
    for module in list(model.modules()):
        for conv_name, conv, norm_name, norm in list(_pairs(module)):
            dtype = conv.weight.dtype
            # In float64, so that the products are rounded only once.
            module._modules[conv_name] = fuse_conv_bn_eval(conv.double(), norm.double()).to(dtype)
            module._modules[norm_name] = nn.Identity()


def _pairs(module: nn.Module) -> Iterator[tuple[str, nn.Conv2d, str, _BatchNorm]]:
    known = isinstance(module, (nn.Sequential, HRFormer, Bottleneck, DepthwiseFFN))
    if isinstance(module, ConvModule):
        known = module.order[:2] == ('conv', 'norm')
    children = list(module.named_children()) if known else []
    for (conv_name, conv), (norm_name, norm) in zip(children, children[1:]):
        if isinstance(conv, nn.Conv2d) and isinstance(norm, _BatchNorm) and norm.running_mean is not None:
            yield conv_name, conv, norm_name, norm
