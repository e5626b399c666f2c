"""Released weights: reading files, and the one door by which every known layout enters a model."""

from .check import check_fit, check_state
from .door import accept_layouts, accept_whole_files, adapt_state_dict, check_pretrained, fit_weights, load_weights
from .download import fetch, is_web_address
from .files import TEMPORARY, seal, verify, write_whole
from .io import find_tensors, read_checkpoint, read_tensors, write_tensors
from .layouts import convert_names

__all__ = [
    'TEMPORARY', 'accept_layouts', 'accept_whole_files', 'adapt_state_dict', 'check_fit', 'check_pretrained',
    'check_state', 'convert_names', 'fetch', 'find_tensors', 'fit_weights', 'is_web_address', 'load_weights',
    'read_checkpoint', 'read_tensors', 'seal', 'verify', 'write_tensors', 'write_whole'
]
