"""The building blocks: modules of one concept each."""

from .attention import WindowAttention
from .block import HRFormerBlock
from .bottleneck import Bottleneck
from .checkpointing import checkpointed, run_blocks
from .conv import conv_norm
from .ffn import DepthwiseFFN, PointwiseConv
from .fusion import StreamFusion
from .norm import norm_layer
from .streams import side_by_side, side_streams

__all__ = [
    'Bottleneck', 'DepthwiseFFN', 'HRFormerBlock', 'PointwiseConv', 'StreamFusion', 'WindowAttention', 'checkpointed',
    'conv_norm', 'norm_layer', 'run_blocks', 'side_by_side', 'side_streams'
]
