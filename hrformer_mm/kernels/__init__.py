"""Triton kernels, and the operators of them that PyTorch knows. Only the modules of kernels import triton."""

from . import batch_norm  # noqa: F401  # torch.ops.hrformer_mm has its operators
from .attention import triton_attention
from .depthwise import triton_depthwise
from .fusion import triton_fusion
from .linear import triton_linear
from .support import DTYPES, usable

__all__ = ['DTYPES', 'triton_attention', 'triton_depthwise', 'triton_fusion', 'triton_linear', 'usable']
