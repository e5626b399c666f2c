"""Functions on tensors, without modules or parameters."""

from .attention import set_attention_backend, window_attention
from .norm_gelu import BatchNormGELUConv
from .norm_project import LayerNormProjection
from .projection import pointwise_conv, product, project
from .relative_position import relative_position_index, resize_bias_table, square_window
from .triton_attention import usable as triton_usable
from .upsampled_conv import upsampled_conv
from .windows import Padding, centred_padding, merge_windows, partition_windows, shift_mask

__all__ = [
    'BatchNormGELUConv', 'LayerNormProjection', 'Padding', 'centred_padding', 'merge_windows', 'partition_windows',
    'pointwise_conv', 'product', 'project', 'relative_position_index', 'resize_bias_table', 'set_attention_backend',
    'shift_mask', 'square_window', 'triton_usable', 'upsampled_conv', 'window_attention'
]
