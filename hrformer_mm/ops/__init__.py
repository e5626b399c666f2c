"""Functions on tensors, without modules or parameters."""

from .attention import set_attention_backend, window_attention
from .block_backend import backends, by_kernels, set_block_backend
from .norm_gelu import BatchNormGELUConv
from .norm_gelu_kernels import kernel_norm_gelu_conv
from .norm_project import LayerNormProjection
from .projection import pointwise_conv, product, project
from .relative_position import relative_position_index, resize_bias_table, square_window
from .upsampled_conv import upsampled_conv
from .windows import Padding, centred_padding, merge_windows, partition_windows, shift_mask

__all__ = [
    'BatchNormGELUConv', 'LayerNormProjection', 'Padding', 'backends', 'by_kernels', 'centred_padding',
    'kernel_norm_gelu_conv', 'merge_windows', 'partition_windows', 'pointwise_conv', 'product', 'project',
    'relative_position_index', 'resize_bias_table', 'set_attention_backend', 'set_block_backend', 'shift_mask',
    'square_window', 'upsampled_conv', 'window_attention'
]
