"""Functions on tensors, without modules or parameters."""

from .attention import set_attention_backend, window_attention
from .projection import project
from .relative_position import relative_position_index, resize_bias_table, square_window
from .windows import merge_windows, padding, partition_windows

__all__ = [
    'merge_windows', 'padding', 'partition_windows', 'project', 'relative_position_index', 'resize_bias_table',
    'set_attention_backend', 'square_window', 'window_attention'
]
