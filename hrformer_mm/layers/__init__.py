"""The building blocks: modules of one concept each."""

from .attention import WindowAttention
from .block import HRFormerBlock
from .bottleneck import Bottleneck
from .checkpointing import checkpointed, run_blocks
from .conv import conv_norm
from .ffn import DepthwiseFFN
from .fusion import StreamFusion

__all__ = [
    'Bottleneck', 'DepthwiseFFN', 'HRFormerBlock', 'StreamFusion', 'WindowAttention', 'checkpointed', 'conv_norm',
    'run_blocks'
]
