"""The building blocks: modules of one concept each."""

from .attention import WindowAttention
from .block import HRFormerBlock
from .bottleneck import Bottleneck
from .checkpointing import checkpointed, run_blocks
from .conv import conv_norm
from .ffn import DepthwiseFFN, PointwiseConv
from .fusion import StreamFusion
from .norm import norm_layer

__all__ = [
    'Bottleneck', 'DepthwiseFFN', 'HRFormerBlock', 'PointwiseConv', 'StreamFusion', 'WindowAttention', 'checkpointed',
    'conv_norm', 'norm_layer', 'run_blocks'
]
