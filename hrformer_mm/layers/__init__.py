"""Building blocks of the models."""

from .attention import LocalWindowAttention, WindowAttention
from .block import HRFormerBlock
from .bottleneck import Bottleneck
from .checkpointing import CHECKPOINTING, CheckpointedSequential, run_checkpointed
from .conv import PointwiseConv, PointwiseLinear, conv_norm
from .ffn import DepthwiseFFN
from .fusion import UPSAMPLES, BranchFusion
from .norm import norm_layer

__all__ = [
    'CHECKPOINTING',
    'UPSAMPLES',
    'Bottleneck',
    'BranchFusion',
    'CheckpointedSequential',
    'DepthwiseFFN',
    'HRFormerBlock',
    'LocalWindowAttention',
    'PointwiseConv',
    'PointwiseLinear',
    'WindowAttention',
    'conv_norm',
    'norm_layer',
    'run_checkpointed',
]
