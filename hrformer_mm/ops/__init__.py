"""Functions on tensors without modules or parameters."""

from .attention import attention, mask_bias
from .relative_position import relative_position_index, resize_bias_table, square_window
from .windows import Padding, centred_padding, merge_windows, padding_mask, partition_windows, shift_mask

__all__ = [
    'Padding',
    'attention',
    'centred_padding',
    'mask_bias',
    'merge_windows',
    'padding_mask',
    'partition_windows',
    'relative_position_index',
    'resize_bias_table',
    'shift_mask',
    'square_window',
]
